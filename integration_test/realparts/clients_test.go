//go:build realparts

package realparts

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// answer is what client.mjs says of a request.
type answer struct {
	Status     int    `json:"status"`
	Body       string `json:"body"`
	Nonce      string `json:"nonce"`
	Challenges []struct {
		Scheme string `json:"scheme"`
		Error  string `json:"error"`
	} `json:"challenges"`
}

// error returns the error of the challenge for a scheme.
func (a answer) error(scheme string) string {
	for _, c := range a.Challenges {
		if strings.EqualFold(c.Scheme, scheme) {
			return c.Error
		}
	}
	return "no challenge"
}

func TestStrictClient(t *testing.T) {
	p := newProvider(t)
	p.start()
	s := guarded(t, "issuer "+p.issuer+"\ndpop optional\ndpop_nonce")
	warm := p.token("robot", api)
	harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(warm)).Status == 200 })

	t.Run("R6750-8 R9110-7: a strict parser reads the challenges", func(t *testing.T) {
		var got struct{ Good, Bad answer }
		script(t, &got, "client.mjs", "plain", p.issuer, s.URL("/"))
		if got.Good.Status != 200 || got.Good.Body != "hello robot" {
			t.Errorf("got %+v", got.Good)
		}
		if got.Bad.Status != 401 || got.Bad.error("bearer") != "invalid_token" || len(got.Bad.Challenges) != 2 {
			t.Errorf("got %+v", got.Bad)
		}
	})
	t.Run("R9449-1 R9449-10 R9449-12: a client with proofs does the dance for a nonce", func(t *testing.T) {
		var got struct{ Good, Again, Bearer answer }
		script(t, &got, "client.mjs", "dpop", p.issuer, s.URL("/"))
		if got.Good.Status != 200 || got.Good.Nonce != "asked for" || got.Good.Body != "hello sealed" {
			t.Errorf("first %+v", got.Good)
		}
		if got.Again.Status != 200 || got.Again.Nonce != "" {
			t.Errorf("with the nonce it has: %+v", got.Again)
		}
		if got.Bearer.Status != 401 || got.Bearer.error("bearer") != "invalid_token" {
			t.Errorf("as a bearer token: %+v", got.Bearer)
		}
	})
}

func TestProofsAreNeeded(t *testing.T) {
	p := newProvider(t)
	p.start()
	s := guarded(t, "issuer "+p.issuer+"\ndpop required")
	t.Run("R9449-1: where proofs are required the same client gets in, and no other", func(t *testing.T) {
		var got struct{ Good, Again, Bearer answer }
		harness.Eventually(t, "the keys are fetched", func() bool {
			script(t, &got, "client.mjs", "dpop", p.issuer, s.URL("/"))
			return got.Good.Status == 200
		})
		if got.Again.Status != 200 || got.Bearer.Status != 401 {
			t.Errorf("got %+v", got)
		}
		if plain := s.Get("/", harness.Bearer(p.token("robot", api))); plain.Status != 401 {
			t.Errorf("a token without a key: %d", plain.Status)
		}
	})
}

func TestMetadataForClients(t *testing.T) {
	p := newProvider(t)
	p.start()
	s := harness.Start(t, `
http://localhost:8080 {
	require_auth /orders* {
		bearer {
			issuer `+p.issuer+`
			audience http://localhost:8080/orders
			dpop optional
		}
		protected_resource http://localhost:8080/orders
		scope orders:read
	}
	respond ok
}
`)
	t.Run("R9728-1 R9728-3 R9728-8: a strict client finds and accepts the document", func(t *testing.T) {
		var got struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
		}
		script(t, &got, "client.mjs", "metadata", p.issuer, s.URL("/orders"))
		if got.Resource != s.URL("/orders") || len(got.Servers) != 1 || got.Servers[0] != p.issuer || len(got.Scopes) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestCertificateBoundTokens(t *testing.T) {
	p := newProvider(t)
	p.start()
	own, other := harness.Certificate(t, "client", nil, time.Hour), harness.Certificate(t, "other", nil, time.Hour)
	cert, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", nil, time.Hour))
	s := harness.Start(t, `
{
	auto_https disable_redirects
	auth {
		bearer corp {
			issuer `+p.issuer+`
			audience `+api+`
			certificate_bound optional
		}
	}
}
https://localhost:8080 {
	tls `+cert+` `+key+` {
		client_auth {
			mode request
		}
	}
	require_auth
	respond "hello {http.auth.client.id}"
}
`)
	send := func(token string, certificates ...tls.Certificate) int {
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates},
		}}
		r, err := http.NewRequest(http.MethodGet, strings.Replace(s.URL("/"), "http:", "https:", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	bound := p.token("carded", api, func(r *http.Request) {
		r.Header.Set("X-Certificate", base64.StdEncoding.EncodeToString(own.Certificate[0]))
	})
	t.Run("R8705-1 R8705-3: a bound token is good with its certificate", func(t *testing.T) {
		harness.Eventually(t, "the keys are fetched", func() bool { return send(bound, own) == 200 })
	})
	t.Run("R8705-1: and with no other, and with none", func(t *testing.T) {
		if got := send(bound, other); got != 401 {
			t.Errorf("with another: %d", got)
		}
		if got := send(bound); got != 401 {
			t.Errorf("with none: %d", got)
		}
	})
}
