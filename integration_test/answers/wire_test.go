package answers

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// raw sends bytes on a connection of its own and returns the answer. The answer ends
// when the server closes the connection, or a second after its last byte.
func raw(t *testing.T, s *harness.Server, lines ...string) string {
	t.Helper()
	connection := s.Dial()
	if _, err := io.WriteString(connection, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buffer := make([]byte, 8192)
	for {
		patience := time.Second
		if all.Len() == 0 {
			patience = 5 * time.Second
		}
		_ = connection.SetReadDeadline(time.Now().Add(patience))
		n, err := connection.Read(buffer)
		all.Write(buffer[:n])
		if err != nil {
			return all.String()
		}
	}
}

func TestExpect(t *testing.T) {
	s := harness.Start(t, configure("", "bearer corp {"+harness.BearerLines+"}\nbearer form {"+harness.BearerLines+"token_from form\n}",
		"require_auth /me corp\nrequire_auth /form form\nrespond ok"))
	head := []string{"Host: localhost", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000000", "Expect: 100-continue", "", ""}
	t.Run("R9110-16: a denial is final at once, without 100 and without the body", func(t *testing.T) {
		got := raw(t, s, slices.Concat([]string{"POST /me HTTP/1.1"}, head)...)
		if !strings.HasPrefix(got, "HTTP/1.1 401 ") {
			t.Errorf("the answer is %s", got)
		}
		if !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("the answer does not signal close: %s", got)
		}
	})
	t.Run("R9110-16: a body that may hold the token is asked for", func(t *testing.T) {
		if got := raw(t, s, slices.Concat([]string{"POST /form HTTP/1.1"}, head)...); !strings.HasPrefix(got, "HTTP/1.1 100 ") {
			t.Errorf("the answer is %s", got)
		}
	})
}

func TestAuthorizationField(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site("require_auth /mixed corp ops\nrequire_auth /me corp\nreverse_proxy "+b.addr))
	token := harness.Token(t)
	send := func(path string, fields ...string) string {
		lines := append([]string{"GET " + path + " HTTP/1.1", "Host: localhost", "Connection: close"}, fields...)
		status, _, _ := strings.Cut(raw(t, s, append(lines, "", "")...), "\r\n")
		return status
	}
	t.Run("R9110-15: two lines, and two pairs on one, are 400 and not forwarded", func(t *testing.T) {
		for _, fields := range [][]string{
			{"Authorization: Bearer " + token, "Authorization: Bearer " + token},
			{"Authorization: Bearer " + token, "authorization: Basic YTpi"},
			{"Authorization: Bearer " + token, "Authorization:"},
			{"Authorization: Bearer " + token + ", Basic YTpi"},
			{"Authorization: Basic YTpi,Bearer " + token},
			{"Authorization: Digest a=\"b\", Bearer " + token},
		} {
			for _, path := range []string{"/mixed", "/me"} {
				if got := send(path, fields...); got != "HTTP/1.1 400 Bad Request" {
					t.Errorf("%s %.30q: %s", path, fields, got)
				}
			}
		}
		if b.count() > 0 {
			t.Error("something was forwarded")
		}
	})
	t.Run("R9110-15: parameters after a comma are no second pair", func(t *testing.T) {
		if got := send("/me", `Authorization: Digest username="a, Bearer b", realm = "x", uri="/"`); got != "HTTP/1.1 401 Unauthorized" {
			t.Error(got)
		}
	})
	t.Run("R9110-15: credentials in a trailer are ignored", func(t *testing.T) {
		chunked := func(fields ...string) string {
			return raw(t, s, slices.Concat([]string{"POST /me HTTP/1.1", "Host: localhost", "Connection: close"}, fields, []string{
				"Trailer: Authorization", "Transfer-Encoding: chunked", "", "1", "x", "0", "Authorization: Bearer " + token, "", ""})...)
		}
		if got := chunked(); !strings.HasPrefix(got, "HTTP/1.1 4") || b.count() > 0 {
			t.Errorf("the answer is %s", got)
		}
	})
}

// TestRelay has an upstream that challenges by itself.
func TestRelay(t *testing.T) {
	own := []string{`Negotiate`, `Basic realm=up`, `Bearer realm="https://up/token",service="x"`, `Basic realm=up`}
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Www-Authenticate"] = own
		status := http.StatusUnauthorized
		if strings.HasSuffix(r.URL.Path, "403") {
			status = http.StatusForbidden
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "upstream's own")
	})
	s := harness.Start(t, site("require_auth /token* corp\nrequire_auth /basic* ops\nrequire_auth /optional* corp {\noptional\n}\nreverse_proxy "+b.addr))
	for path, option := range map[string]harness.Option{
		"/token": harness.Bearer(harness.Token(t)), "/basic": harness.Basic("alice", password), "/optional": harness.Header("X-None", ""),
	} {
		t.Run("R9110-14: challenges of the upstream stay as they are, "+path[1:], func(t *testing.T) {
			for suffix, status := range map[string]int{"401": 401, "403": 403} {
				r := s.Get(path+suffix, option)
				want(t, r, status, "", own...)
				field(t, r, "X-Trace-Id")
				if r.Body != "upstream's own" {
					t.Errorf("body %q", r.Body)
				}
			}
		})
	}
}

func TestStreams(t *testing.T) {
	s := harness.Start(t, configure("servers {\nprotocols h1 h2c\n}", schemes, "require_auth corp ops\nrespond {http.auth.user.id}"))
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	connection, err := transport.NewClientConn(t.Context(), "http", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	send := func(authorization string) string {
		r, _ := http.NewRequest(http.MethodGet, s.URL("/"), nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		response, err := connection.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(body), " ")
		return fmt.Sprintf("%s %d %.6s", response.Proto, response.StatusCode, first)
	}
	t.Run("R9110-17: each stream of a connection is judged alone", func(t *testing.T) {
		token := harness.Token(t)
		for range 5 {
			if got := send("Bearer " + token); got != "HTTP/2.0 200 alice" {
				t.Error(got)
			}
			if got := send(""); !strings.HasPrefix(got, "HTTP/2.0 401 ") {
				t.Error(got)
			}
			if got := send("Bearer nonsense"); !strings.HasPrefix(got, "HTTP/2.0 401 ") {
				t.Error(got)
			}
		}
	})
}
