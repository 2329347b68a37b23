package faults

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// astray are metadata that must not be followed. ISSUER is who should have
// written them, ELSEWHERE another name of the provider, at which nobody asks.
var astray = map[string]string{
	"names another issuer":         `{"issuer":"https://evil.example","jwks_uri":"ELSEWHERE"}`,
	"names another issuer beside":  `{"issuer":"https://evil.example","issuer":"ISSUER","jwks_uri":"ELSEWHERE"}`,
	"has one slash more":           `{"issuer":"ISSUER/","jwks_uri":"ELSEWHERE"}`,
	"names nobody":                 `{"jwks_uri":"ELSEWHERE"}`,
	"names two key sets":           `{"issuer":"ISSUER","jwks_uri":"ISSUER/keys","jwks_uri":"ELSEWHERE"}`,
	"names no key set":             `{"issuer":"ISSUER"}`,
	"names a number":               `{"issuer":"ISSUER","jwks_uri":7}`,
	"names a list":                 `{"issuer":"ISSUER","jwks_uri":["ELSEWHERE"]}`,
	"names a file":                 `{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`,
	"names data":                   `{"issuer":"ISSUER","jwks_uri":"data:application/json,{}"}`,
	"names http at another host":   `{"issuer":"ISSUER","jwks_uri":"http://192.0.2.1/keys"}`,
	"names the metadata of clouds": `{"issuer":"ISSUER","jwks_uri":"http://169.254.169.254/latest/meta-data/"}`,
	"names a user":                 `{"issuer":"ISSUER","jwks_uri":"http://user:password@127.0.0.1/keys"}`,
	"names a socket":               `{"issuer":"ISSUER","jwks_uri":"unix:///run/docker.sock"}`,
	"names a path":                 `{"issuer":"ISSUER","jwks_uri":"/keys"}`,
	"is a page":                    `<html>ISSUER</html>`,
	"is empty":                     ``,
}

// TestMetadataAstray has the metadata of an issuer lead elsewhere.
func TestMetadataAstray(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	mustSucceed(t, err)
	set := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	var ill atomic.Bool
	var strayed atomic.Int64
	fresh := make(map[string]bool) // whose metadata were never good
	documents := make(map[string]string)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, name, asked := strings.Cut(r.URL.Path, "/.well-known/openid-configuration/")
		issuer := "http://" + r.Host + "/" + name
		switch {
		case r.URL.Path == "/elsewhere":
			strayed.Add(1)
			fmt.Fprint(w, set)
		case strings.HasSuffix(r.URL.Path, "/keys"):
			fmt.Fprint(w, set)
		case asked && (ill.Load() || fresh[name]):
			fmt.Fprint(w, strings.NewReplacer("ISSUER", issuer, "ELSEWHERE", "http://"+r.Host+"/elsewhere").Replace(documents[name]))
		case asked:
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/keys")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(provider.Close)
	names := make(map[string]string)
	var schemes, gates strings.Builder
	for fault, document := range astray {
		name := fmt.Sprint("i", len(names))
		names[fault], documents[name], documents[name+"new"], fresh[name+"new"] = name, document, document, true
		for _, name := range []string{name, name + "new"} {
			fmt.Fprintf(&schemes, "bearer %s {\nissuer %s/%s\naudience %s\n}\n", name, provider.URL, name, harness.Audience)
			fmt.Fprintf(&gates, "require_auth /%s %s\n", name, name)
		}
	}
	s := harness.StartWithAdmin(t, "{\nauto_https off\nauth {\n"+schemes.String()+"}\n}\nhttp://localhost:8080 {\n"+gates.String()+"respond ok\n}")
	send := func(name string, key ed25519.PrivateKey) *harness.Response {
		token := harness.Sign(t, jwa.EdDSA, key, nil, harness.Claims{"iss": provider.URL + "/" + name})
		return s.Get("/"+name, harness.Bearer(token))
	}
	for _, name := range names {
		send(name, private).Want(200, "")
	}
	ill.Store(true)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	mustSucceed(t, err)
	var calls sync.WaitGroup // each waits for keys
	var mutex sync.Mutex
	neverHad := make(map[string][]*harness.Response)
	for _, name := range names {
		calls.Go(func() {
			answers := []*harness.Response{send(name+"new", private), send(name+"new", stranger)}
			mutex.Lock()
			defer mutex.Unlock()
			neverHad[name] = answers
		})
	}
	calls.Wait()
	for fault, name := range names {
		t.Run("R8414-4 AVAIL-1: its keys are known, and the document "+fault, func(t *testing.T) {
			if got := s.Do("POST", s.AdminURL("/auth/schemes/"+name+"/refresh")); got.Status < 500 {
				t.Errorf("the operator is told %d %s", got.Status, got.Body)
			}
			send(name, private).Want(200, "")
			send(name, stranger).Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		})
		t.Run("R8414-4 AVAIL-1: its keys were never had, and the document "+fault, func(t *testing.T) {
			away(t, neverHad[name]...)
		})
	}
	if strayed.Load() != 0 {
		t.Errorf("another place was asked %d times", strayed.Load())
	}
}

// TestUntrustedCertificate has a provider with a certificate of an unknown authority.
func TestUntrustedCertificate(t *testing.T) {
	var requests atomic.Int64
	provider := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	provider.Config.ErrorLog = log.New(io.Discard, "", 0)
	provider.StartTLS()
	t.Cleanup(provider.Close)
	s := harness.Start(t, "{\nauto_https off\nauth {\nbearer keys {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+provider.URL+"/keys\n}\n"+
		"bearer discovered {\nissuer "+provider.URL+"\naudience "+harness.Audience+"\n}\n"+
		"bearer asked {\naudience "+harness.Audience+"\nintrospection "+provider.URL+"/tokens {\nclient_id gate\nclient_secret hush\n}\n}\n}\n}\n"+
		"http://localhost:8080 {\nrequire_auth /keys keys\nrequire_auth /discovered discovered\nrequire_auth /asked asked\nrespond ok\n}")
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	mustSucceed(t, err)
	var calls sync.WaitGroup // each waits for its keys
	var mutex sync.Mutex
	answers := make(map[string]*harness.Response)
	for location, token := range map[string]string{
		"/keys":       harness.Sign(t, jwa.EdDSA, stranger, nil),
		"/discovered": harness.Sign(t, jwa.EdDSA, stranger, nil, harness.Claims{"iss": provider.URL}),
		"/asked":      "opaque",
	} {
		calls.Go(func() {
			answer := s.Get(location, harness.Bearer(token))
			mutex.Lock()
			defer mutex.Unlock()
			answers[location] = answer
		})
	}
	calls.Wait()
	for location, answer := range answers {
		t.Run("R8414-1 AVAIL-1: "+location, func(t *testing.T) { away(t, answer) })
	}
	if requests.Load() != 0 {
		t.Error("it was sent a request all the same")
	}
}
