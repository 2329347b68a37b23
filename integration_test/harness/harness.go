// Package harness runs a real Caddy in the test's process and asks it from
// outside, over TCP on loopback.
//
// Caddy has one running configuration in a process, so tests that use the
// harness do not run in parallel.
package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the modules that configurations use

	_ "github.com/excorp/caddy-require-auth" // what is tested
)

// Server is a running Caddy.
type Server struct {
	t       testing.TB
	ports   map[string]string
	journal *Journal
}

// Start runs Caddy with a Caddyfile until the test ends. Sites listen on the
// ports :8080 and, for a second one, :8081; the harness puts free ports in
// their place. The admin API is off, the log is recorded.
func Start(t testing.TB, caddyfile string) *Server {
	t.Helper()
	s := prepare(t)
	s.begin(func() error { return s.TryReload(caddyfile) })
	return s
}

// begin loads the first configuration, on other ports if another process has taken
// them.
func (s *Server) begin(load func() error) {
	s.t.Helper()
	err := load()
	for range 5 {
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			break
		}
		for written := range s.ports {
			s.ports[written] = freePort(s.t)
		}
		err = load()
	}
	if err != nil {
		s.t.Fatalf("loading: %v", err)
	}
}

// StartWithAdmin is Start with the admin API on, see [Server.AdminURL].
func StartWithAdmin(t testing.TB, caddyfile string) *Server {
	t.Helper()
	s := prepare(t)
	s.ports[adminPort] = freePort(t)
	s.begin(func() error { return s.TryReload(caddyfile) })
	return s
}

// StartJSONWithAdmin is StartJSON with the admin API on.
func StartJSONWithAdmin(t testing.TB, config string) *Server {
	t.Helper()
	s := prepare(t)
	s.ports[adminPort] = freePort(t)
	s.begin(func() error { return s.load([]byte(s.withPorts(config))) })
	return s
}

// adminPort is how the port of the admin API is written, where it is on.
const adminPort = "2019"

// AdminURL returns the address of a path of the admin API.
func (s *Server) AdminURL(path string) string { return "http://127.0.0.1:" + s.ports[adminPort] + path }

// StartJSON runs Caddy with a JSON configuration until the test ends; ports
// are replaced as by [Start], and the log is recorded.
func StartJSON(t testing.TB, config string) *Server {
	t.Helper()
	s := prepare(t)
	s.begin(func() error { return s.load([]byte(s.withPorts(config))) })
	return s
}

func prepare(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, ports: map[string]string{"8080": freePort(t), "8081": freePort(t)}, journal: new(Journal)}
	current.Store(s.journal)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if log := s.LogText(); strings.Contains(log, "panic serving") { // of net/http
			t.Errorf("a request made the server panic\n%s", log)
		}
	})
	return s
}

// Reload replaces the configuration of a running server.
func (s *Server) Reload(caddyfile string) {
	s.t.Helper()
	if err := s.TryReload(caddyfile); err != nil {
		s.t.Fatalf("loading: %v", err)
	}
}

// TryReload is Reload for a configuration that may be refused.
func (s *Server) TryReload(caddyfile string) error {
	config, err := Adapt(s.withPorts(caddyfile))
	if err != nil {
		return err
	}
	return s.load(config)
}

// Adapt turns a Caddyfile into JSON. Errors name the file Caddyfile.
func Adapt(caddyfile string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// load runs a JSON configuration with the log recorded, and with the admin API
// only where a test asked for it.
func (s *Server) load(config []byte) error {
	var all map[string]any
	if err := json.Unmarshal(config, &all); err != nil {
		return err
	}
	admin := map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	if port, on := s.ports[adminPort]; on {
		admin["disabled"], admin["listen"] = false, "127.0.0.1:"+port
	}
	all["admin"] = admin
	logging, _ := all["logging"].(map[string]any)
	if logging == nil {
		logging = map[string]any{}
	}
	logs, _ := logging["logs"].(map[string]any)
	if logs == nil {
		logs = map[string]any{}
	}
	logs["default"] = map[string]any{
		"level": "DEBUG", "writer": map[string]any{"output": "journal"}, "encoder": map[string]any{"format": "json"},
	}
	logging["logs"] = logs
	all["logging"] = logging
	orderHandshakes(all)
	config, err := json.Marshal(all)
	if err != nil {
		return err
	}
	defer s.waitSettled()
	defer loads.Add(1)
	return caddy.Load(config, true)
}

func (s *Server) withPorts(config string) string {
	for written, actual := range s.ports {
		config = strings.ReplaceAll(config, ":"+written, ":"+actual)
	}
	return config
}

// URL returns the address of a path on the site that is written :8080.
func (s *Server) URL(path string) string { return "http://localhost:" + s.ports["8080"] + path }

// SecondURL returns the address of a path on the site that is written :8081.
func (s *Server) SecondURL(path string) string { return "http://localhost:" + s.ports["8081"] + path }

// Addr returns the address to dial for the site that is written :8080, for
// tests that write their own bytes.
func (s *Server) Addr() string { return "localhost:" + s.ports["8080"] }

// Option changes a request.
type Option func(*http.Request)

// Header adds a header field. The name is sent as it is spelled.
func Header(name, value string) Option {
	return func(r *http.Request) { r.Header[name] = append(r.Header[name], value) }
}

// Bearer adds a token.
func Bearer(token string) Option { return Header("Authorization", "Bearer "+token) }

// Basic adds a user name and a password.
func Basic(user, password string) Option {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// Body adds a body.
func Body(contentType, body string) Option {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", contentType)
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
	}
}

// Host sets the Host field.
func Host(host string) Option { return func(r *http.Request) { r.Host = host } }

// Get asks for a path.
func (s *Server) Get(path string, options ...Option) *Response {
	s.t.Helper()
	return s.Do(http.MethodGet, s.URL(path), options...)
}

// Do sends a request. Redirects are not followed.
func (s *Server) Do(method, url string, options ...Option) *Response {
	s.t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, option := range options {
		option(r)
	}
	response, err := client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	return &Response{t: s.t, Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

var client = &http.Client{
	Timeout:       2 * time.Minute, // longer than any wait of the server
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Log returns the records of a logger since the start, oldest first.
func (s *Server) Log(logger string) []map[string]any {
	var records []map[string]any
	for line := range bytes.Lines([]byte(s.LogText())) {
		var record map[string]any
		if json.Unmarshal(line, &record) == nil && record["logger"] == logger {
			records = append(records, record)
		}
	}
	return records
}

// Decisions returns the gate's records.
func (s *Server) Decisions() []map[string]any { return s.Log("http.handlers.require_auth") }

// LogText returns the whole log.
func (s *Server) LogText() string { return s.journal.String() }

// Eventually tries until what it is given holds, or fails after ten seconds.
func Eventually(t testing.TB, condition string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute) // a slow machine must not fail a test
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting: %s", condition)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ReadFile returns the text of a file.
func ReadFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
