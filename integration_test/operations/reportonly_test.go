package operations

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestReportOnly(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, `
{
	auth {
		bearer corp {
			issuer `+harness.Issuer+`
			audience `+harness.Audience+`
			jwks `+p.KeySet()+`
		}
	}
}
http://localhost:8080 {
	require_auth /reported/* corp {
		report_only
		scope   admin
		forward X-User {http.auth.user.id}
	}
	require_auth /reported/guarded corp
	respond "{http.request.header.X-User}|{http.request.method}"
}
`)
	alice := harness.Bearer(p.Token(harness.Claims{"sub": "alice"}))
	admin := harness.Bearer(p.Token(harness.Claims{"sub": "root", "scope": "admin"}))
	spoofed := harness.Header("X-User", "root")
	for _, c := range []struct {
		name, path, body, decision, code string
		status                           int
		options                          []harness.Option
	}{
		{"no credential", "/reported/x", "|GET", "would_deny", "missing_credentials", 200, []harness.Option{spoofed}},
		{"a bad token", "/reported/x", "|GET", "would_deny", "invalid_token", 200, []harness.Option{spoofed, harness.Bearer("a.b.c")}},
		{"too little scope", "/reported/x", "|GET", "would_deny", "insufficient_scope", 200, []harness.Option{spoofed, alice}},
		{"enough scope", "/reported/x", "root|GET", "admitted", "", 200, []harness.Option{admin}},
	} {
		t.Run(c.name, func(t *testing.T) {
			logged, counted := len(s.Decisions()), value(t, s, "caddy_auth_decisions_total", "decision="+c.decision, "code="+c.code)
			response := s.Get(c.path, c.options...)
			if response.Status != c.status || response.Body != c.body {
				t.Errorf("got %d %q", response.Status, response.Body)
			}
			if got := value(t, s, "caddy_auth_decisions_total", "decision="+c.decision, "code="+c.code); got != counted+1 {
				t.Errorf("counted %v, before %v", got, counted)
			}
			records := s.Decisions()[logged:]
			if len(records) != 1 || records[0]["decision"] != c.decision || c.code != "" && records[0]["code"] != c.code {
				t.Errorf("logged %v", records)
			}
			for _, member := range []string{"method", "uri", "host", "reason", "client_ip"} { // which `caddy auth report` reads
				if c.code != "" && records[0][member] == nil {
					t.Errorf("the record has no %s: %v", member, records[0])
				}
			}
		})
	}
	t.Run("another gate still denies", func(t *testing.T) {
		if response := s.Get("/reported/guarded"); response.Status != http.StatusUnauthorized {
			t.Errorf("got %d", response.Status)
		}
	})
	t.Run("a preflight goes on", func(t *testing.T) {
		response := s.Do(http.MethodOptions, s.URL("/reported/x"), harness.Header("Origin", "https://web.example"), harness.Header("Access-Control-Request-Method", "GET"))
		if response.Status != http.StatusOK || response.Body != "|OPTIONS" {
			t.Errorf("got %d %q", response.Status, response.Body)
		}
	})
	t.Run("the log warns at load", func(t *testing.T) {
		for _, record := range s.Decisions() {
			if record["level"] == "warn" && record["msg"] == "report_only: this gate lets every request pass" {
				return
			}
		}
		t.Error("no warning")
	})
}

// report is the answer of `GET /auth/report`, as far as tests read it.
type report struct {
	Requests, Admitted, Left int
	Rows                     []reportedRow
	Since                    string
}

type reportedRow struct {
	Count                                              int
	Code, Method, Host, Path, Required, Reason, Remedy string
	Missing, Callers                                   []string
}

// TestReport asks a running server what gates with report_only would deny.
func TestReport(t *testing.T) {
	config := `
{
	auth {
		bearer corp {
			issuer ` + harness.Issuer + `
			audience ` + harness.Audience + `
			hmac_secret ` + harness.Secret + `
		}
	}
}
http://localhost:8080 {
	require_auth /reported/* {
		report_only
		scope admin
	}
	require_auth /guarded
	respond ok
}
`
	s := harness.StartWithAdmin(t, config)
	read := func() (found report) {
		t.Helper()
		response := s.Do(http.MethodGet, s.AdminURL("/auth/report"))
		if err := json.Unmarshal([]byte(response.Body), &found); err != nil || response.Status != http.StatusOK || found.Since == "" {
			t.Fatalf("%d %s", response.Status, response.Body)
		}
		return found
	}
	token := harness.Token(t, harness.Claims{"sub": "alice", "scope": "read"})
	for i := range 3 {
		s.Get(fmt.Sprint("/reported/orders/", i, "?secret=of-the-query"), harness.Bearer(token))
	}
	s.Get("/reported/orders/9")
	s.Get("/reported/ok", harness.Bearer(harness.Token(t, harness.Claims{"sub": "root", "scope": "admin"})))
	s.Get("/guarded") // denied, and so not in the report
	found := read()
	if found.Requests != 4 || found.Admitted != 1 || len(found.Rows) != 2 {
		t.Fatalf("%+v", found)
	}
	if row := found.Rows[0]; row.Count != 3 || row.Code != "insufficient_scope" || row.Method != "GET" || row.Path != "/reported/orders/{id}" || !strings.HasPrefix(row.Host, "localhost") ||
		row.Required != "scope admin" || !slices.Equal(row.Missing, []string{"admin"}) || !slices.Equal(row.Callers, []string{"alice"}) || !strings.HasPrefix(row.Remedy, "grant the scope admin") {
		t.Errorf("%+v", row)
	}
	if row := found.Rows[1]; row.Count != 1 || row.Code != "missing_credentials" || !slices.Equal(row.Callers, []string{"127.0.0.1"}) {
		t.Errorf("%+v", row)
	}
	address, err := url.Parse(s.AdminURL(""))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go http.Serve(listener, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address) }}) // ends with the listener
	for _, at := range []string{address.Host, address.String(), "unix/" + socket} {
		t.Run("the command asks "+at, func(t *testing.T) {
			output, _ := exec.Command("caddy", "auth", "report", "--address", at).CombinedOutput()
			text := string(output)
			for _, want := range []string{"3 × GET localhost", "/reported/orders/{id}", "by        alice", "to pass   grant the scope admin", "would deny: 4 requests, admitted at gates with report_only since "} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if strings.Contains(text, "of-the-query") || strings.Contains(text, token) {
				t.Error("the report has a query or a token")
			}
		})
	}
	t.Run("what clients choose is bounded", func(t *testing.T) {
		for i := range 1_100 {
			s.Get(fmt.Sprintf("/reported/%s-%s", strings.Repeat("x", 300+i), "y"))
		}
		for i := range 1_100 {
			s.Get(fmt.Sprintf("/reported/p%dq", i))
		}
		found := read()
		sum := found.Left
		for _, row := range found.Rows {
			sum += row.Count
		}
		if found.Requests != 2_204 || sum != found.Requests || len(found.Rows) > 1_000 {
			t.Errorf("%d requests, %d in rows and left, %d rows", found.Requests, sum, len(found.Rows))
		}
		if row := found.Rows[0]; len(row.Path) > 300 || row.Count != 1_100 {
			t.Errorf("%d × %s", row.Count, row.Path)
		}
		if !slices.ContainsFunc(found.Rows, func(row reportedRow) bool { return row.Path == "/reported/orders/{id}" }) {
			t.Error("what happens often is lost among paths of one request")
		}
	})
	t.Run("a configuration that is loaded begins to count", func(t *testing.T) {
		s.Reload(strings.Replace(config, "scope admin", "scope read", 1))
		if found := read(); found.Requests != 0 {
			t.Errorf("%+v", found)
		}
	})
}
