package operations

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestExplainCertificate explains what connections with certificates get, and
// compares it with what they get.
func TestExplainCertificate(t *testing.T) {
	own, other := harness.Certificate(t, "own", nil, time.Hour), harness.Certificate(t, "other", nil, time.Hour)
	robot := harness.Certificate(t, "robot", &own, time.Hour)
	roots, _ := harness.SaveCertificate(t, own)
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", &own, time.Hour))
	caddyfile := `{
	auto_https disable_redirects
	auth {
		client_cert robots {
			trust_pool ` + roots + `
			user_from common_name
			rule common_name robot {
				scope read
			}
		}
		client_cert verified {
			user_from common_name
		}
		bearer bound {` + harness.BearerLines + `
			certificate_bound required
		}
	}
}
https://localhost:8080 {
	tls ` + certificate + ` ` + key + ` {
		client_auth {
			mode request
		}
	}
	require_auth /robots robots {
		scope read
	}
	require_auth /write robots {
		scope write
	}
	require_auth /bound bound
	require_auth /verified verified
	respond "hello {http.auth.user.id}"
}`
	s := harness.StartWithAdmin(t, caddyfile)
	secure := func(path string) string { return strings.Replace(s.URL(path), "http:", "https:", 1) }
	digest := sha256.Sum256(robot.Certificate[0])
	token := harness.Token(t, harness.Claims{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(digest[:])}})
	explained := func(t *testing.T, path string, with *tls.Certificate) requireauth.Explanation {
		question := map[string]any{"url": secure(path)}
		if with != nil {
			question["certificate"] = text(*with)
		}
		if path == "/bound" {
			question["token"] = token
		}
		return decode[requireauth.Explanation](t, explain(t, s, question))
	}
	for _, path := range []string{"/robots", "/write", "/bound"} {
		for name, with := range map[string]*tls.Certificate{
			"none": nil, "a good one": &robot,
			"one that is over":          new(harness.Certificate(t, "robot", &own, -time.Hour)),
			"one of another authority":  new(harness.Certificate(t, "robot", &other, time.Hour)),
			"one that no rule is about": new(harness.Certificate(t, "stranger", &own, time.Hour)),
		} {
			t.Run(path+" with "+name, func(t *testing.T) {
				got, want := explained(t, path, with), statusOf(t, secure(path), token, with)
				if got.Answer == nil && (want != http.StatusOK || got.Reaches == "") || got.Answer != nil && got.Answer.Status != want {
					t.Errorf("answered with %d, and explained is %+v", want, got)
				}
			})
		}
	}
	t.Run("what Caddy's TLS decides is said to be taken as verified", func(t *testing.T) {
		got := explained(t, "/verified", new(harness.Certificate(t, "robot", &other, time.Hour)))
		want := trace.Check{Scheme: "verified", Check: "trust", Result: trace.OK, Detail: "assumed to be verified by the server's TLS"}
		if len(got.Gates) != 1 || len(got.Gates[0].Checks) == 0 || got.Gates[0].Checks[0] != want {
			t.Errorf("%+v", got.Gates)
		}
	})
	t.Run("by the command, of a file", func(t *testing.T) {
		folder := filepath.Dir(roots)
		for name, content := range map[string]string{"Caddyfile": strings.ReplaceAll(caddyfile, ":8080", ":443"), "robot.pem": text(robot)} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := run(t, folder, "caddy auth explain --config Caddyfile --url https://localhost/robots --certificate robot.pem")
		if !strings.Contains(got, "user robot, scopes read\n") {
			t.Errorf("%s", got)
		}
	})
	_, private := harness.SaveCertificate(t, robot)
	secret, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	for says, question := range map[string]map[string]any{
		"https":                               {"url": s.URL("/"), "certificate": text(robot)},
		"no PEM certificate":                  {"url": secure("/"), "certificate": "x"},
		"PRIVATE KEY in a file":               {"url": secure("/"), "certificate": text(robot) + string(secret)},
		"invalid certificate: write a string": {"url": secure("/"), "certificate": 1},
		"url is missing":                      {"token": "a", "certificate": text(robot)},
	} {
		t.Run("refused: "+says, func(t *testing.T) {
			response := explain(t, s, question)
			wantError(t, response, http.StatusBadRequest, says)
			if strings.Contains(response.Body, text(robot)[40:60]) {
				t.Error(response.Body)
			}
		})
	}
}

func explain(t *testing.T, s *harness.Server, question map[string]any) *harness.Response {
	t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	return post(s, "/auth/explain", string(body))
}

func text(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}

// statusOf asks with a certificate, and with the token where it is meant.
func statusOf(t *testing.T, url, token string, with *tls.Certificate) int {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if with != nil {
		config.Certificates = []tls.Certificate{*with}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(url, "/bound") {
		r.Header.Set("Authorization", fmt.Sprint("Bearer ", token))
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}
