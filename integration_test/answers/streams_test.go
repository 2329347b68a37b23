package answers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// configureStreams has gates of each kind in front of the upstream.
func configureStreams(upstream, schemes string) string {
	return `{
	servers {
		protocols h1 h2c
	}
	metrics
	auth {
		` + schemes + `
	}
}
:8080 {
	metrics /metrics
	require_auth /streams/* {
		end_streams
		strip_credentials
	}
	require_auth /all/* {
		end_streams all
	}
	require_auth /plain/*
	require_auth /report/* {
		report_only
		end_streams all
	}
	require_auth /optional/* {
		optional
		end_streams all
	}
	require_auth /twice/*
	require_auth /twice/events {
		end_streams
	}
	require_auth /twice/* {
		end_streams all
	}
	handle_errors 502 {
		rewrite /short
		reverse_proxy ` + upstream + `
	}
	route /failing {
		require_auth {
			end_streams all
		}
		error 502
	}
	route /rewritten {
		require_auth {
			end_streams all
		}
		method PUT
		respond "{method} of {http.auth.user.id}"
	}
	reverse_proxy ` + upstream + ` {
		stream_close_delay 1h
	}
}`
}

const corp = "bearer corp {" + harness.BearerLines + "}"

// kinds are what ends at a gate with the line alone.
var kinds = map[string]struct {
	path    string
	options []harness.Option
}{
	"an event stream":                 {"/streams/events", nil},
	"an event stream over HTTP/2":     {"/streams/events", []harness.Option{http2}},
	"a WebSocket":                     {"/streams/socket", []harness.Option{upgrade}},
	"a download with all":             {"/all/download", nil},
	"a download over HTTP/2 with all": {"/all/download", []harness.Option{http2}},
	"a WebSocket with all":            {"/all/socket", []harness.Option{upgrade}},
	"an event stream at three gates":  {"/twice/events", nil},
}

func TestEnds(t *testing.T) {
	s := harness.StartWithAdmin(t, configureStreams(upstream(t), corp))
	bystander := open(t, s, "/streams/events", harness.Bearer(harness.Token(t, harness.Claims{"sub": "bob", "exp": time.Now().Add(48 * time.Hour).Unix()})))
	for name, kind := range kinds {
		t.Run(name+" ends when its token is revoked", func(t *testing.T) {
			token := harness.Token(t, harness.Claims{"jti": name})
			opened := open(t, s, kind.path, append(kind.options, harness.Bearer(token))...)
			revoke(t, s, fmt.Sprintf(`{"jti": %q}`, name))
			opened.ends()
		})
		t.Run(name+" ends when its token expires", func(t *testing.T) {
			opened := open(t, s, kind.path, append(kind.options, harness.Bearer(harness.Token(t)))...)
			at(t, time.Hour+time.Minute)
			opened.ends()
		})
	}
	t.Run("others go on", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"jti": "others"})
		var all []*stream
		for _, path := range []string{"/plain/events", "/plain/download", "/streams/download", "/report/events"} {
			all = append(all, open(t, s, path, harness.Bearer(token)))
		}
		all = append(all, open(t, s, "/plain/socket", harness.Bearer(token), upgrade), open(t, s, "/optional/events"), bystander)
		withdrawn := open(t, s, "/optional/events", harness.Bearer(token))
		revoke(t, s, `{"jti": "others"}`)
		withdrawn.ends()
		for _, other := range all {
			other.goesOn()
		}
		if got := len(records(s, "stream would end")); got != 1 {
			t.Errorf("%d records of a gate with report_only", got)
		}
	})
	t.Run("the log says why, once for each gate, and has no credential", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"jti": "log", "sub": "dave"})
		opened := open(t, s, "/streams/events?token=secret", harness.Bearer(token), harness.Header("X-Trace-Id", "trace-1"))
		revoke(t, s, `{"jti": "log"}`)
		opened.ends()
		var found []map[string]any
		for _, record := range records(s, "stream ended") {
			if record["trace_id"] == "trace-1" {
				found = append(found, record)
			}
		}
		if len(found) != 1 || found[0]["level"] != "info" || found[0]["reason"] != "the credential was revoked" || found[0]["user_id"] != "dave" ||
			found[0]["scheme"] != "corp" || found[0]["uri"] != "/streams/events" || found[0]["method"] != "GET" {
			t.Error(found)
		}
		if log := s.LogText(); strings.Contains(log, token) || strings.Contains(log, "panic") {
			t.Error("the log has a token or a panic")
		}
	})
	t.Run("the gauge counts what is open", func(t *testing.T) {
		harness.Eventually(t, "the others are gone", func() bool { return gauge(s) == "1" })
		opened := open(t, s, "/streams/events", harness.Bearer(harness.Token(t, harness.Claims{"jti": "counted"})))
		if got := gauge(s); got != "2" {
			t.Error(got)
		}
		revoke(t, s, `{"jti": "counted"}`)
		opened.ends()
		harness.Eventually(t, "it is no longer counted", func() bool { return gauge(s) == "1" })
	})
	for name, request := range map[string]string{
		"a download":  "GET /all/flood HTTP/1.1\r\n",
		"a WebSocket": "GET /streams/socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
	} {
		t.Run(name+" whose client reads nothing holds nothing open", func(t *testing.T) {
			connection, id := s.Dial(), "unread "+name
			if _, err := io.WriteString(connection, request+"Host: localhost\r\nAuthorization: Bearer "+harness.Token(t, harness.Claims{"jti": id})+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "it is counted", func() bool { return gauge(s) == "2" })
			if name == "a download" {
				stuck(t)
			}
			revoke(t, s, fmt.Sprintf(`{"jti": %q}`, id))
			harness.Eventually(t, "it is no longer counted", func() bool { return gauge(s) == "1" })
		})
	}
	t.Run("placeholders see what handlers behind the gate change", func(t *testing.T) {
		if got := s.Get("/rewritten", harness.Bearer(harness.Token(t))); got.Body != "PUT of alice" {
			t.Error(got.Status, got.Body)
		}
	})
	t.Run("error routes run as before", func(t *testing.T) {
		if got := s.Get("/failing", harness.Bearer(harness.Token(t))); got.Body != "complete" {
			t.Error(got.Status, got.Body)
		}
	})
	t.Run("a response that ends by itself is complete", func(t *testing.T) {
		for _, path := range []string{"/all/short", "/streams/short"} {
			if got := s.Get(path, harness.Bearer(harness.Token(t))); got.Status != http.StatusOK || got.Body != "complete" {
				t.Error(got.Status, got.Body)
			}
		}
	})
}

func TestEndsWithItsKey(t *testing.T) {
	provider := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, configureStreams(upstream(t), `bearer corp {
		issuer `+harness.Issuer+`
		audience `+harness.Audience+`
		jwks `+provider.KeySet()+`
	}`))
	provider.Publish(harness.DefaultKeyID, "key-2")
	refresh := func() {
		t.Helper()
		if got := s.Do(http.MethodPost, s.AdminURL("/auth/schemes/corp/refresh")); got.Status != http.StatusOK {
			t.Fatal(got.Status, got.Body)
		}
	}
	refresh()
	withdrawn := open(t, s, "/streams/events", harness.Bearer(provider.Token()))
	unaffected := open(t, s, "/streams/events", harness.Bearer(provider.Sign("key-2")))
	t.Run("a new key ends nothing", func(t *testing.T) {
		provider.Publish(harness.DefaultKeyID, "key-2", "key-3")
		refresh()
		withdrawn.goesOn()
	})
	t.Run("a key that is withdrawn ends its streams", func(t *testing.T) {
		provider.Publish("key-2", "key-3")
		refresh()
		withdrawn.ends()
		unaffected.goesOn()
	})
	t.Run("an outage of the provider ends nothing", func(t *testing.T) {
		provider.Down()
		_ = s.Do(http.MethodPost, s.AdminURL("/auth/schemes/corp/refresh"))
		unaffected.goesOn()
	})
}

func TestEndsWithIntrospection(t *testing.T) {
	provider := harness.StartProvider(t)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"active": true, "sub": "olga", "aud": %q, "exp": %d}`, harness.Audience, time.Now().Add(time.Hour).Unix())
	}))
	t.Cleanup(endpoint.Close)
	s := harness.StartWithAdmin(t, configureStreams(upstream(t), `bearer corp {
		issuer `+harness.Issuer+`
		audience `+harness.Audience+`
		jwks `+provider.KeySet()+`
		introspection `+endpoint.URL+` {
			client_id gateway
			client_secret hush
		}
	}`))
	provider.Publish(harness.DefaultKeyID, "key-2")
	verified := open(t, s, "/streams/events", harness.Bearer(provider.Token()))
	opaque := open(t, s, "/streams/events", harness.Bearer("opaque"))
	revoked := open(t, s, "/streams/events", harness.Bearer("another-opaque"))
	unpublished := open(t, s, "/streams/events", harness.Bearer(provider.Sign("key-3")))
	provider.Publish("key-2")
	if got := s.Do(http.MethodPost, s.AdminURL("/auth/schemes/corp/refresh")); got.Status != http.StatusOK {
		t.Fatal(got.Status, got.Body)
	}
	verified.ends()
	revoke(t, s, `{"token": "another-opaque"}`)
	revoked.ends()
	opaque.goesOn()
	unpublished.goesOn()
	at(t, time.Hour+time.Minute)
	opaque.ends()
	unpublished.ends()
}

func TestEndsAfterReload(t *testing.T) {
	backend := upstream(t)
	s := harness.StartWithAdmin(t, configureStreams(backend, corp))
	opened := func(name string, options ...harness.Option) *stream {
		t.Helper()
		return open(t, s, "/streams/"+name, append(options, harness.Bearer(harness.Token(t, harness.Claims{"jti": name})))...)
	}
	events, socket := opened("events"), opened("socket", upgrade)
	s.Reload(configureStreams(backend, "realm other\n"+corp))
	events.goesOn()
	socket.goesOn()
	t.Run("by a revocation", func(t *testing.T) {
		revoke(t, s, `{"jti": "events"}`)
		events.ends()
		socket.goesOn()
		revoke(t, s, `{"jti": "socket"}`)
		socket.ends()
	})
	t.Run("because the secret was replaced", func(t *testing.T) {
		events := open(t, s, "/streams/events", harness.Bearer(harness.Token(t)))
		s.Reload(configureStreams(backend, strings.ReplaceAll(corp, harness.Secret, "another-secret-for-tests-of-32-bytes-or-more")))
		events.ends()
		s.Reload(configureStreams(backend, corp))
	})
	t.Run("because the scheme is gone", func(t *testing.T) {
		events := open(t, s, "/streams/events", harness.Bearer(harness.Token(t)))
		s.Reload(strings.ReplaceAll(configureStreams(backend, corp), "bearer corp", "bearer renamed"))
		events.ends()
	})
}

// TestEndsAfterReloadOfInlineScheme has schemes of one name that gates declare in place.
func TestEndsAfterReloadOfInlineScheme(t *testing.T) {
	backend := upstream(t)
	const another = "another-secret-for-tests-of-32-bytes-or-more"
	gate := func(path, secret string) string {
		return "require_auth " + path + " {\nbearer {" + strings.ReplaceAll(harness.BearerLines, harness.Secret, secret) + "}\nend_streams\n}\n"
	}
	site := func(gates ...string) string {
		return ":8080 {\n" + strings.Join(gates, "") + "reverse_proxy " + backend + "\n}"
	}
	s := harness.Start(t, site(gate("/one/*", another), gate("/two/*", harness.Secret)))
	events := open(t, s, "/two/events", harness.Bearer(harness.Token(t)))
	s.Reload(site("header X-New yes\n", gate("/one/*", another), gate("/two/*", harness.Secret)))
	events.goesOn()
	s.Reload(site(gate("/one/*", another), gate("/two/*", another)))
	events.ends()
	s.Reload(site(gate("/two/*", harness.Secret)))
	events = open(t, s, "/two/events", harness.Bearer(harness.Token(t)))
	s.Reload(site())
	events.ends()
}

func TestEndsWithItsEntry(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const (
		keys = `[{"id": "a", "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}]`
		hash = "$2a$04$UF0wlFsJrWagK55jlDNQG.Vci3cZcH8kNwj4TLEglMlkxCjfeC3za"
	)
	config := func(scheme string) string { return configureStreams(upstream(t), scheme) }
	key := harness.Header("X-Api-Key", "test")
	t.Run("a key that leaves the file", func(t *testing.T) {
		s := harness.Start(t, config("api_key {\n keys_file "+write("keys", keys)+"\n}"))
		opened := open(t, s, "/streams/events", key)
		write("keys", `[]`)
		opened.ends()
	})
	t.Run("a key that gets an end", func(t *testing.T) {
		s := harness.Start(t, config("api_key {\n keys_file "+write("keys", keys)+"\n}"))
		opened := open(t, s, "/streams/events", key)
		write("keys", strings.ReplaceAll(keys, `"id"`, `"expires": "2099-01-01T00:00:00Z", "id"`))
		opened.goesOn()
		at(t, 200*365*24*time.Hour)
		opened.ends()
	})
	t.Run("a key that is revoked", func(t *testing.T) {
		s := harness.StartWithAdmin(t, config("api_key {\n keys_file "+write("keys", keys)+"\n}"))
		opened := open(t, s, "/streams/events", key)
		revoke(t, s, `{"sub": "a", "scheme": "api_key"}`)
		opened.ends()
	})
	t.Run("a user who gets another password", func(t *testing.T) {
		s := harness.Start(t, config("basic {\n users_file "+write("users", "alice:"+hash+"\nbob:"+hash)+"\n}"))
		changed := open(t, s, "/streams/events", harness.Basic("alice", "correct-horse"))
		unaffected := open(t, s, "/streams/events", harness.Basic("bob", "correct-horse"))
		write("users", "alice:"+strings.Replace(hash, "UF0", "UF1", 1)+"\nbob:"+hash)
		changed.ends()
		unaffected.goesOn()
	})
}
