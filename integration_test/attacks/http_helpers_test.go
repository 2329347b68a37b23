package attacks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// The credentials of the HTTP attacks, besides [harness.Token].
const (
	password = "correct horse battery staple"
	apiKey   = "key-of-a-partner-0123456789"
)

// witness is an upstream that records the requests that reach it.
type witness struct {
	address  string
	mutex    sync.Mutex
	requests []arrival
}

// arrival is a request as the upstream got it.
type arrival struct {
	method, target string
	header         http.Header
	trailer        http.Header
	body           string
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := new(witness)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.address = strings.TrimPrefix(server.URL, "http://")
	return w
}

// ServeHTTP writes down what came.
func (w *witness) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is cut off is seen as far as it came
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.requests = append(w.requests, arrival{r.Method, r.RequestURI, r.Header, r.Trailer, string(body)})
}

// take returns what has come since it was asked last.
func (w *witness) take() []arrival {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	requests := w.requests
	w.requests = nil
	return requests
}

// reached reports whether something has come since.
func (w *witness) reached() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.requests) > 0
}

// fortress is a site in front of a witness, with a scheme of each kind: corp, ops
// and partners. It speaks HTTP/2 without TLS, and HTTP/3. In the site the word
// UPSTREAM is the witness.
type fortress struct {
	*harness.Server
	*witness
	token string
}

func newFortress(t *testing.T, site string) *fortress {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", nil, time.Hour))
	f := &fortress{witness: newWitness(t), token: harness.Token(t)}
	f.Server = harness.Start(t, strings.ReplaceAll(fmt.Sprintf(`{
	auto_https off
	servers {
		protocols h1 h2 h2c h3
	}
	auth {
		bearer corp {%s}
		basic ops {
			user alice %s
		}
		api_key partners {
			from header X-API-Key
			key partner %s
		}
	}
}
(site) {
	%s
	reverse_proxy UPSTREAM
}
http://localhost:8080, http://other.example:8080 {
	import site
}
https://localhost:8081 {
	tls %s %s
	import site
}`, harness.BearerLines, hash, digestOf(apiKey), site, certificate, key), "UPSTREAM", f.address))
	return f
}

// lines makes a request of HTTP/1.1 to the site.
func lines(line string, fields ...string) string {
	return line + " HTTP/1.1\r\n" + strings.Join(append([]string{"Host: localhost"}, fields...), "\r\n") + "\r\n\r\n"
}

// stops wants a denial, or what a server answers to what is no request, and
// nothing of it behind the gate.
func (f *fortress) stops(t *testing.T, r *harness.Response) {
	t.Helper()
	if r.Status == 401 && len(r.Challenges()) == 0 {
		t.Error("a 401 without a challenge")
	}
	if r.Status != 0 && r.Status != 400 && r.Status != 401 && r.Status != 403 && r.Status != 404 && r.Status != 501 && r.Status != 505 && r.Status != 431 && r.Status != 308 {
		t.Errorf("status %d %s", r.Status, r.Body)
	}
	if requests := f.take(); len(requests) != 0 {
		t.Errorf("the upstream got %v", requests)
	}
}

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
