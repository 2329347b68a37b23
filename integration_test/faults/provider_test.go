package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

func init() { keyset.SetFirstWait(time.Second) }

// fault is how a provider answers, or does not.
type fault struct {
	name  string
	serve http.HandlerFunc
}

// says answers 200 with a body.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// speaks takes the connection and writes bytes, then does what comes after.
func speaks(text string, after func(net.Conn, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		defer context.AfterFunc(r.Context(), func() { _ = connection.Close() })()
		fmt.Fprint(connection, text)
		if after != nil {
			after(connection, r)
		}
	}
}

// silence lasts until the client has had enough.
func silence(connection net.Conn, _ *http.Request) {
	_, _ = connection.Read(make([]byte, 1))
}

// drip sends a space each half second.
func drip(connection net.Conn, _ *http.Request) {
	for range 100 {
		if _, err := fmt.Fprint(connection, " "); err != nil {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// endless writes as long as the client reads.
func endless(w http.ResponseWriter, _ *http.Request) {
	for block := strings.Repeat(" ", 1<<16); ; {
		if _, err := fmt.Fprint(w, block); err != nil {
			return
		}
	}
}

// bomb is small on the wire and large behind.
var bomb = sync.OnceValue(func() string {
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range 200 {
		_, _ = packer.Write(block) // a buffer takes it
	}
	_ = packer.Close()
	return packed.String()
})

func bursts(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, bomb())
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// provider publishes keys under /<fault>/early and knows tokens under
// /<fault>/tokens until it falls ill, and under /<fault>/late once it is well.
type provider struct {
	*httptest.Server
	faults  []fault
	ill     atomic.Bool
	well    atomic.Bool
	illness context.Context // it ends what a fault has begun
	heal    context.CancelFunc
	strayed atomic.Int64 // requests that were sent elsewhere
	key     ed25519.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: private}
	p.illness, p.heal = context.WithCancel(context.Background())
	set := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		which, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		number, err := strconv.Atoi(which)
		switch {
		case err != nil:
			p.strayed.Add(1)
			says(set)(w, r)
		case p.ill.Load(), strings.HasSuffix(r.URL.Path, "/late") && !p.well.Load():
			p.faults[number].serve(w, r.WithContext(p.illness))
		case strings.HasSuffix(r.URL.Path, "/tokens"):
			says(`{"active":true,"sub":"olga","aud":"`+harness.Audience+`"}`)(w, r)
		default:
			says(set)(w, r)
		}
	}))
	t.Cleanup(func() {
		p.heal()
		p.Close()
	})
	elsewhere := strings.Replace(p.URL, "127.0.0.1", "localhost", 1) + "/stray"
	p.faults = append(common(elsewhere), ofDocuments...)
	return p
}

// common are the faults of any server.
func common(elsewhere string) []fault {
	to := func(code int, target string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, code) }
	}
	return []fault{
		{"closes the connection", speaks("", nil)},
		{"hangs", speaks("", silence)},
		{"hangs after the header", speaks(head+"Content-Length: 100\r\n\r\n", silence)},
		{"hangs within the header", speaks("HTTP/1.1 200 OK\r\nContent-", silence)},
		{"drips", speaks(head+"Content-Length: 100000\r\n\r\n", drip)},
		{"breaks off", speaks(head+"Content-Length: 100000\r\n\r\n{\"keys\":[", nil)},
		{"breaks off between chunks", speaks(head+"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"key\r\n", nil)},
		{"does not speak HTTP", speaks("SSH-2.0-OpenSSH_9.9\r\n", nil)},
		{"announces 10 GiB", speaks(head+"Content-Length: 10737418240\r\n\r\n", silence)},
		{"never ends", endless},
		{"bursts when it is unpacked", bursts},
		{"answers 204", status(204)}, {"answers 206", status(206)}, {"answers 400", status(400)}, {"answers 401", status(401)}, {"answers 403", status(403)},
		{"answers 404", status(404)}, {"answers 410", status(410)}, {"answers 429", status(429)}, {"answers 500", status(500)}, {"answers 503", status(503)},
		{"redirects to another host", to(302, elsewhere)}, {"redirects for good to another host", to(308, elsewhere)},
		{"redirects to a file", to(302, "file:///etc/passwd")}, {"redirects in a circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }}, {"redirects to nowhere", to(302, "http://127.0.0.1:1/")},
	}
}

// ofDocuments are answers that are none.
var ofDocuments = []fault{
	{"says nothing", says("")}, {"says null", says("null")}, {"says true", says("true")}, {"says a list", says("[]")}, {"says a text", says(`"keys"`)},
	{"says an empty object", says("{}")}, {"says HTML", says("<html>maintenance</html>")}, {"says half", says(`{"keys":[{"kty":"OK`)},
	{"says something behind", says(`{"keys":[],"active":false}}`)}, {"says NUL", says("\x00\x00")}, {"says no UTF-8", says("{\"keys\":\"\xff\"}")},
	{"says keys that are an object", says(`{"keys":{}}`)}, {"says keys that are a text", says(`{"keys":"x"}`)}, {"says keys that are null", says(`{"keys":null}`)},
	{"says no keys", says(`{"keys":[]}`)}, {"says keys that are numbers", says(`{"keys":[1,2]}`)}, {"says keys without a type", says(`{"keys":[{}]}`)},
	{"says keys twice", says(`{"keys":[],"keys":[],"active":false,"active":true}`)}, {"says a symmetric key", says(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
	{"says a broken key", says(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)},
	{"says an unknown curve", says(`{"keys":[{"kty":"EC","crv":"P-1","x":"AA","y":"AA"}]}`)}, {"says keys for encryption", says(`{"keys":[{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}]}`)},
	{"says 5,000 keys", says(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"x"},`, 5000), ",") + `]}`)},
	{"says lists 100,000 deep", says(strings.Repeat("[", 100_000))}, {"says objects 100,000 deep", says(strings.Repeat(`{"a":`, 100_000))},
	{"says active as a text", says(`{"active":"true","sub":"olga"}`)}, {"says active as a number", says(`{"active":1,"sub":"olga"}`)},
	{"says active as null", says(`{"active":null,"sub":"olga"}`)}, {"says Active", says(`{"Active":true,"sub":"olga"}`)},
	{"says an error of OAuth", says(`{"error":"invalid_client"}`)},
}

// site has three schemes for each fault. One has its keys before the fault, one fetches
// them during the fault, and one introspects tokens.
func (p *provider) site() string {
	var schemes, gates strings.Builder
	for number := range p.faults {
		at := fmt.Sprintf("%s/%d", p.URL, number)
		for _, age := range []string{"early", "late"} {
			fmt.Fprintf(&schemes, "bearer %s%d {\nissuer %s\naudience %s\njwks %s/%s\n}\n", age, number, harness.Issuer, harness.Audience, at, age)
		}
		fmt.Fprintf(&schemes, "bearer tokens%d {\naudience %s\nintrospection %s/tokens {\nclient_id gate\nclient_secret hush\n}\n}\n", number, harness.Audience, at)
		for _, scheme := range []string{"early", "late", "tokens"} {
			fmt.Fprintf(&gates, "require_auth /%s/%d %s%d\n", scheme, number, scheme, number)
		}
	}
	return "{\nauto_https off\nauth {\n" + schemes.String() + "}\n}\nhttp://localhost:8080 {\n" + gates.String() + "respond ok\n}"
}

// TestProvider has a provider fall ill in every way. Faults are tried side by
// side, because some of them take the gate the time that it waits.
func TestProvider(t *testing.T) {
	p := newProvider(t)
	s := harness.StartWithAdmin(t, p.site())
	good := harness.Sign(t, jwa.EdDSA, p.key, map[string]any{"kid": "1"})
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged := harness.Sign(t, jwa.EdDSA, stranger, map[string]any{"kid": "1"})
	for number := range p.faults {
		s.Get(fmt.Sprintf("/early/%d", number), harness.Bearer(good)).Want(200, "")
		s.Get(fmt.Sprintf("/tokens/%d", number), harness.Bearer("known")).Want(200, "")
	}
	p.ill.Store(true)
	type answers struct{ refresh, early, forged, late, lateForged, cached, unknown *harness.Response }
	all := make([]answers, len(p.faults))
	var calls sync.WaitGroup
	for number := range p.faults {
		at := func(scheme, token string) *harness.Response {
			return s.Get(fmt.Sprintf("/%s/%d", scheme, number), harness.Bearer(token))
		}
		calls.Go(func() {
			refresh := s.Do("POST", s.AdminURL(fmt.Sprintf("/auth/schemes/early%d/refresh", number)))
			all[number].refresh, all[number].early, all[number].forged = refresh, at("early", good), at("early", forged)
		})
		calls.Go(func() { all[number].late, all[number].lateForged = at("late", good), at("late", forged) })
		calls.Go(func() { all[number].cached, all[number].unknown = at("tokens", "known"), at("tokens", "never-seen") })
	}
	calls.Wait()
	for number, fault := range p.faults {
		got := all[number]
		t.Run("AVAIL-1: its keys are known, and it "+fault.name, func(t *testing.T) {
			if got.refresh.Status < 500 {
				t.Errorf("the operator is told %d %s", got.refresh.Status, got.refresh.Body)
			}
			if got.early.Status != 200 {
				t.Errorf("a good token gets %d %s", got.early.Status, got.early.Body)
			}
			if got.forged.Status != 401 {
				t.Errorf("a forged token gets %d", got.forged.Status)
			}
		})
		t.Run("AVAIL-1: its keys were never had, and it "+fault.name, func(t *testing.T) { away(t, got.late, got.lateForged) })
		t.Run("R7662-4 AVAIL-1: it is asked about tokens, and it "+fault.name, func(t *testing.T) {
			if got.cached.Status != 200 {
				t.Errorf("a known token gets %d %s", got.cached.Status, got.cached.Body)
			}
			away(t, got.unknown)
		})
	}
	if p.strayed.Load() != 0 {
		t.Errorf("another host was asked %d times", p.strayed.Load())
	}
	p.ill.Store(false)
	p.well.Store(true)
	p.heal()
	t.Run("JWT-14: once it is well again, everybody comes in", func(t *testing.T) {
		for number := range p.faults {
			s.Do("POST", s.AdminURL(fmt.Sprintf("/auth/schemes/late%d/refresh", number))).Want(200, "")
			s.Get(fmt.Sprintf("/late/%d", number), harness.Bearer(good)).Want(200, "")
			s.Get(fmt.Sprintf("/late/%d", number), harness.Bearer(forged)).Want(401, "invalid_token",
				`Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		}
	})
}

// away wants 503, when to come again, and no challenge that would make a client
// log its user out.
func away(t *testing.T, responses ...*harness.Response) {
	t.Helper()
	for _, r := range responses {
		if r.Status != 503 || !strings.Contains(r.Body, `"temporarily_unavailable"`) || r.Header.Get("Retry-After") == "" || len(r.Challenges()) != 0 {
			t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
		}
	}
}
