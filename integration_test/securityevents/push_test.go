package securityevents

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestEvents(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	number := 0
	for event, revokes := range map[string]bool{
		caep + "session-revoked": true, caep + "token-claims-change": true, caep + "credential-change": true,
		risc + "sessions-revoked": true, risc + "account-disabled": true, risc + "account-purged": true,
		risc + "credential-compromise": true, risc + "account-credential-change-required": true,
		risc + "account-enabled": false, caep + "session-established": false, "urn:example:other": false,
	} {
		t.Run(event, func(t *testing.T) {
			number++
			user := fmt.Sprint("user-", number)
			token, later := x.Token(old(), harness.Claims{"sub": user}), x.Token(harness.Claims{"sub": user, "iat": time.Now().Add(-time.Minute).Unix()})
			wantRevoked(t, s, token, false)
			claims := x.claims(event, x.user(user), harness.Claims{"events": map[string]any{event: map[string]any{"event_timestamp": time.Now().Add(-30 * time.Minute).Unix()}}})
			wantAccepted(t, push(s, x.set(claims)))
			wantRevoked(t, s, token, revokes)
			wantRevoked(t, s, later, false)
			wantRevoked(t, s, x.Token(old(), harness.Claims{"sub": "another"}), false)
		})
	}
}

func TestSubjects(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, strings.Replace(x.config(), "audience "+harness.Audience, "audience "+harness.Audience+"\nuser_claim name", 1))
	opaque := func(id string) map[string]any { return map[string]any{"format": "opaque", "id": id} }
	device := opaque("device-1")
	for name, test := range map[string]struct {
		subject any
		revokes []harness.Claims
		keeps   []harness.Claims
	}{
		"RFC 9493 §3.2.1, account": {
			map[string]any{"format": "account", "uri": "acct:a1@example.com"},
			[]harness.Claims{{"name": "a1@example.com"}, {"name": "acct:a1@example.com"}, {"sub": "a1@example.com"}}, []harness.Claims{{"name": "a1"}},
		},
		"RFC 9493 §3.2.2, email": {
			map[string]any{"format": "email", "email": "b1@example.com"}, []harness.Claims{{"name": "b1@example.com"}}, []harness.Claims{{"name": "B1@example.com"}},
		},
		"RFC 9493 §3.2.3, iss_sub":      {x.user("c1"), []harness.Claims{{"sub": "c1"}}, []harness.Claims{{"sub": "c2"}, {"sid": "c1"}, {"jti": "c1"}}},
		"RFC 9493 §3.2.4, opaque":       {opaque("d1"), []harness.Claims{{"sub": "d1"}, {"sid": "d1"}}, []harness.Claims{{"jti": "d1"}}},
		"RFC 9493 §3.2.5, phone_number": {map[string]any{"format": "phone_number", "phone_number": "+12065550100"}, []harness.Claims{{"name": "+12065550100"}}, nil},
		"RFC 9493 §3.2.6, did":          {map[string]any{"format": "did", "url": "did:example:123456"}, []harness.Claims{{"sub": "did:example:123456"}}, nil},
		"RFC 9493 §3.2.7, uri":          {map[string]any{"format": "uri", "uri": "urn:uuid:4e851e98"}, []harness.Claims{{"sub": "urn:uuid:4e851e98"}}, nil},
		"RFC 9493 §3.2.8, aliases, one of another issuer": {
			map[string]any{"format": "aliases", "identifiers": []any{
				map[string]any{"format": "email", "email": "e1@example.com"},
				map[string]any{"format": "iss_sub", "iss": "https://other.example", "sub": "e2"}, x.user("e3"),
			}},
			[]harness.Claims{{"name": "e1@example.com"}, {"sub": "e3"}}, []harness.Claims{{"sub": "e2"}},
		},
		"SSF 1.0, jwt_id": {
			map[string]any{"format": "jwt_id", "iss": x.Issuer(), "jti": "f1"}, []harness.Claims{{"jti": "f1"}}, []harness.Claims{{"sub": "f1"}},
		},
		"SSF 1.0, saml_assertion_id": {
			map[string]any{"format": "saml_assertion_id", "issuer": x.Issuer(), "assertion_id": "g1"}, nil, []harness.Claims{{"sub": "g1"}, {"jti": "g1"}},
		},
		"SSF 1.0, complex: the session of a user": {
			map[string]any{"format": "complex", "user": x.user("h1"), "session": opaque("h2"), "tenant": opaque("h3"), "device": device},
			[]harness.Claims{{"sub": "h1", "sid": "h2"}, {"sid": "h2"}}, []harness.Claims{{"sub": "h1", "sid": "h4"}, {"sub": "h2"}, {"sub": "h3"}},
		},
		"SSF 1.0, complex: all of a user": {
			map[string]any{"format": "complex", "user": x.user("i1"), "device": device}, []harness.Claims{{"sub": "i1"}, {"sub": "i1", "sid": "i2"}}, []harness.Claims{{"sub": "device-1"}},
		},
		"Keycloak: a user without a session": {
			map[string]any{"format": "complex", "user": x.user("j1"), "session": map[string]any{"format": "opaque"}}, []harness.Claims{{"sub": "j1"}}, nil,
		},
		"a session in a form that no token has means the user": {
			map[string]any{"format": "complex", "user": x.user("k1"), "session": map[string]any{"format": "ip_addresses"}}, []harness.Claims{{"sub": "k1"}}, nil,
		},
		"complex, of a device": {map[string]any{"format": "complex", "device": device}, nil, []harness.Claims{{"sub": "device-1"}, {"sid": "device-1"}}},
		"an unknown format":    {map[string]any{"format": "ip_addresses", "id": "l1"}, nil, []harness.Claims{{"sub": "l1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var revoked, kept []string
			number := 0
			token := func(claims harness.Claims) string {
				number++
				defaults := harness.Claims{"sub": fmt.Sprint("sub-", name, number), "name": fmt.Sprint("name-", name, number)}
				return x.Token(old(), defaults, claims)
			}
			for _, claims := range test.revokes {
				revoked = append(revoked, token(claims))
			}
			for _, claims := range append(test.keeps, harness.Claims{}) {
				kept = append(kept, token(claims))
			}
			for _, token := range append(revoked, kept...) {
				wantRevoked(t, s, token, false)
			}
			wantAccepted(t, push(s, x.set(x.claims(caep+"session-revoked", test.subject, harness.Claims{"jti": name}))))
			for _, token := range revoked {
				wantRevoked(t, s, token, true)
			}
			for _, token := range kept {
				wantRevoked(t, s, token, false)
			}
		})
	}
}

// TestRefused has events that are not acknowledged. The honest twin of each is.
func TestRefused(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	const event = caep + "session-revoked"
	token := x.Token(old(), harness.Claims{"sub": "victim"})
	header := func(more map[string]any) map[string]any {
		all := map[string]any{"typ": "secevent+jwt", "kid": harness.DefaultKeyID}
		maps.Copy(all, more)
		return all
	}
	claims := func(more harness.Claims) harness.Claims { return x.claims(event, x.user("victim"), more) }
	good := x.set(claims(nil))
	parts := strings.Split(good, ".")
	forged := x.sign(claims(nil), header(nil))
	forged = forged[:strings.LastIndexByte(forged, '.')] + "." + strings.Split(x.sign(claims(harness.Claims{"jti": "x"}), header(nil)), ".")[2]
	for name, test := range map[string]struct{ set, code string }{
		"R8935: not a token":            {"hello", "invalid_request"},
		"R8935: empty":                  {"", "invalid_request"},
		"unsigned":                      {"eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0In0." + parts[1] + ".AA", "invalid_key"},
		"without a signature":           {parts[0] + "." + parts[1] + ".", "invalid_request"},
		"with another's signature":      {forged, "invalid_key"},
		"by a secret":                   {harness.Sign(t, jwa.HS256, []byte(harness.Secret), header(nil), claims(nil)), "invalid_key"},
		"of the type of a token":        {x.sign(claims(nil), header(map[string]any{"typ": "at+jwt"})), "invalid_request"},
		"without a type":                {x.sign(claims(nil), header(map[string]any{"typ": "JWT"})), "invalid_request"},
		"with crit":                     {x.sign(claims(nil), header(map[string]any{"crit": []string{"exp"}})), "invalid_request"},
		"of another issuer":             {x.set(claims(harness.Claims{"iss": "https://other.example"})), "invalid_issuer"},
		"without an issuer":             {x.set(claims(harness.Claims{"iss": nil})), "invalid_issuer"},
		"for another receiver":          {x.set(claims(harness.Claims{"aud": harness.Audience})), "invalid_audience"},
		"for no receiver":               {x.set(claims(harness.Claims{"aud": nil})), "invalid_audience"},
		"with sub":                      {x.set(claims(harness.Claims{"sub": "victim"})), "invalid_request"},
		"with exp":                      {x.set(claims(harness.Claims{"exp": time.Now().Add(time.Hour).Unix()})), "invalid_request"},
		"without jti":                   {x.set(claims(harness.Claims{"jti": nil})), "invalid_request"},
		"without iat":                   {x.set(claims(harness.Claims{"iat": nil})), "invalid_request"},
		"from the future":               {x.set(claims(harness.Claims{"iat": time.Now().Add(time.Hour).Unix()})), "invalid_request"},
		"without an event":              {x.set(claims(harness.Claims{"events": map[string]any{}})), "invalid_request"},
		"with two events":               {x.set(claims(harness.Claims{"events": map[string]any{event: map[string]any{}, risc + "account-disabled": map[string]any{}}})), "invalid_request"},
		"with a list of events":         {x.set(claims(harness.Claims{"events": []any{event}})), "invalid_request"},
		"with a text for an event":      {x.set(claims(harness.Claims{"events": map[string]any{event: "now"}})), "invalid_request"},
		"without a subject":             {x.set(claims(harness.Claims{"sub_id": nil})), "invalid_request"},
		"with two subjects":             {x.set(claims(harness.Claims{"events": map[string]any{event: map[string]any{"subject": x.user("other")}}})), "invalid_request"},
		"with a subject without a name": {x.set(claims(harness.Claims{"sub_id": map[string]any{"format": "email"}})), "invalid_request"},
		"with a subject of another issuer": {
			x.set(claims(harness.Claims{"sub_id": map[string]any{"format": "iss_sub", "iss": "https://other.example", "sub": "victim"}})), "access_denied",
		},
		"with a token of another issuer": {
			x.set(claims(harness.Claims{"sub_id": map[string]any{"format": "jwt_id", "iss": "https://other.example", "jti": "1"}})), "access_denied",
		},
		"with a session of a user of another issuer": {x.set(claims(harness.Claims{"sub_id": map[string]any{
			"format": "complex", "user": map[string]any{"format": "iss_sub", "iss": "https://other.example", "sub": "victim"},
			"session": map[string]any{"format": "opaque", "id": "s"},
		}})), "access_denied"},
		"over 64 KiB": {x.set(claims(harness.Claims{"txn": strings.Repeat("x", 64<<10)})), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, push(s, test.set), test.code)
			wantRevoked(t, s, token, false)
		})
	}
	t.Run("R8935: another content type", func(t *testing.T) {
		wantRefused(t, s.Do(http.MethodPost, s.URL("/auth/events"), harness.Body("text/plain", good)), "invalid_request")
		wantRevoked(t, s, token, false)
	})
	t.Run("another method", func(t *testing.T) {
		if got := s.Get("/auth/events"); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
			t.Errorf("status %d, Allow %q", got.Status, got.Header.Get("Allow"))
		}
	})
	t.Run("an access token is no event, and an event is no access token", func(t *testing.T) {
		wantRefused(t, push(s, token), "invalid_request")
		if got := s.Get("/", harness.Bearer(good)); got.Status != http.StatusUnauthorized {
			t.Errorf("status %d", got.Status)
		}
	})
	t.Run("the honest twin", func(t *testing.T) {
		wantAccepted(t, push(s, good))
		wantRevoked(t, s, token, true)
	})
	for _, text := range append(parts[1:], token) {
		if strings.Contains(s.LogText(), text) {
			t.Error("a token is in the log")
		}
	}
}

func TestAuthorization(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config(`authorization "Bearer shared-with-the-transmitter"`))
	good := x.set(x.claims(caep+"session-revoked", x.user("alice")))
	for _, options := range [][]harness.Option{nil, {harness.Bearer("another-secret-of-someone")}, {harness.Header("Authorization", "")}} {
		wantRefused(t, push(s, good, options...), "authentication_failed")
	}
	wantRevoked(t, s, x.Token(old()), false)
	wantAccepted(t, push(s, good, harness.Bearer("shared-with-the-transmitter")))
	wantRevoked(t, s, x.Token(old()), true)
	if strings.Contains(s.LogText(), "shared-with") || strings.Contains(s.LogText(), "another-secret") {
		t.Error("a secret is in the log")
	}
}

// TestTokenIssuers has a transmitter that is known by another name than the issuer of its
// tokens, and whose keys are in a file.
func TestTokenIssuers(t *testing.T) {
	x := startTransmitter(t)
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, x.Document(), 0o600); err != nil {
		t.Fatal(err)
	}
	const name = "https://events.example"
	config := strings.Replace(x.config("jwks "+keys, "token_issuer "+x.Issuer()), "security_events "+x.Issuer(), "security_events "+name, 1)
	s := harness.StartWithAdmin(t, config)
	send := func(issuer, sub string) *harness.Response {
		subject := map[string]any{"format": "iss_sub", "iss": issuer, "sub": sub}
		return push(s, x.set(x.claims(caep+"session-revoked", subject, harness.Claims{"iss": name, "jti": sub})))
	}
	for _, sub := range []string{"by-token-issuer", "by-transmitter"} {
		issuer := map[string]string{"by-token-issuer": x.Issuer(), "by-transmitter": name}[sub]
		wantAccepted(t, send(issuer, sub))
		wantRevoked(t, s, x.Token(old(), harness.Claims{"sub": sub}), true)
	}
	wantRefused(t, send("https://other.example", "other"), "access_denied")
	wantRefused(t, push(s, x.set(x.claims(caep+"session-revoked", x.user("other")))), "invalid_issuer")
	wantRevoked(t, s, x.Token(old(), harness.Claims{"sub": "other"}), false)
}

func TestReplay(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	at := func(ago time.Duration, jti string) string {
		return x.set(x.claims(caep+"session-revoked", x.user("alice"), harness.Claims{
			"jti": jti, "events": map[string]any{caep + "session-revoked": map[string]any{"event_timestamp": time.Now().Add(-ago).Unix()}},
		}))
	}
	issued := func(ago time.Duration) string {
		return x.Token(harness.Claims{"iat": time.Now().Add(-ago).Unix()})
	}
	first := at(30*time.Minute, "1")
	wantAccepted(t, push(s, first))
	wantRevoked(t, s, issued(40*time.Minute), true)
	t.Run("an event that arrives again changes nothing", func(t *testing.T) {
		wantAccepted(t, push(s, first))
		wantRevoked(t, s, issued(20*time.Minute), false)
		if got := resultsOf(s); got[len(got)-1] != "duplicate" {
			t.Error(got)
		}
		if list := s.Do(http.MethodGet, s.AdminURL("/auth/revocations")).Body; !strings.Contains(list, `"total": 1`) && !strings.Contains(list, `"total":1`) {
			t.Error(list)
		}
	})
	t.Run("events in another order end with the last one", func(t *testing.T) {
		wantAccepted(t, push(s, at(10*time.Minute, "3")))
		wantAccepted(t, push(s, at(25*time.Minute, "2")))
		wantRevoked(t, s, issued(15*time.Minute), true)
		wantRevoked(t, s, issued(5*time.Minute), false)
	})
	t.Run("an undone revocation stays undone when its event arrives again", func(t *testing.T) {
		undo := `{"sub": "alice", "issuer": "` + x.Issuer() + `"}`
		if got := s.Do(http.MethodDelete, s.AdminURL("/auth/revocations"), harness.Body("application/json", undo)); got.Status != http.StatusOK {
			t.Fatal(got.Status, got.Body)
		}
		wantAccepted(t, push(s, first))
		wantRevoked(t, s, issued(40*time.Minute), false)
	})
}

// TestTime has events whose instant is not what it should be.
func TestTime(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	now := time.Now()
	for name, stamp := range map[string]any{
		"none": nil, "in milliseconds": now.UnixMilli(), "in the future": now.Add(48 * time.Hour).Unix(), "a text": "now", "zero": 0,
	} {
		t.Run("event_timestamp: "+name, func(t *testing.T) {
			payload := map[string]any{"event_timestamp": stamp}
			if stamp == nil {
				payload = map[string]any{}
			}
			sub := "user-" + name
			wantAccepted(t, push(s, x.set(x.claims(caep+"session-revoked", x.user(sub), harness.Claims{
				"jti": name, "iat": now.Add(-30 * time.Minute).Unix(), "events": map[string]any{caep + "session-revoked": payload},
			}))))
			wantRevoked(t, s, x.Token(harness.Claims{"sub": sub, "iat": now.Add(-30 * time.Minute).Unix()}), true)
			wantRevoked(t, s, x.Token(harness.Claims{"sub": sub, "iat": now.Add(-20 * time.Minute).Unix()}), false)
		})
	}
}

// TestKeys has a transmitter whose keys cannot be fetched at first.
func TestKeys(t *testing.T) {
	x := startTransmitter(t)
	x.Down()
	s := harness.StartWithAdmin(t, x.config())
	set := x.set(x.claims(caep+"session-revoked", x.user("alice")))
	got := push(s, set)
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
	}
	x.Up()
	harness.Eventually(t, "the event is accepted", func() bool { return push(s, set).Status == http.StatusAccepted })
	token := x.Token(old())
	harness.Eventually(t, "the scheme has its keys too", func() bool { return s.Get("/", harness.Bearer(token)).Status != http.StatusServiceUnavailable })
	wantRevoked(t, s, token, true)
}

// TestManyEvents has more events at once than are handled at once, while their keys
// do not arrive.
func TestManyEvents(t *testing.T) {
	x := startTransmitter(t)
	release := make(chan struct{})
	x.Answer(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			x.serve(w, r)
		case <-r.Context().Done():
		}
	})
	s := harness.StartWithAdmin(t, x.config())
	set := x.set(x.claims(caep+"session-revoked", x.user("alice")))
	var pushes sync.WaitGroup
	for range 40 {
		pushes.Go(func() {
			if got := push(s, set); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
				t.Errorf("status %d", got.Status)
			}
		})
	}
	pushes.Wait()
	if log := s.LogText(); !strings.Contains(log, "too many events at once") || !strings.Contains(log, "no key set has been fetched yet") {
		t.Error(log)
	}
	close(release)
	harness.Eventually(t, "the event is accepted", func() bool { return push(s, set).Status == http.StatusAccepted })
}

// TestRefusedAtLoad has configurations in which only loading shows what is wrong.
func TestRefusedAtLoad(t *testing.T) {
	x := startTransmitter(t)
	s := harness.Start(t, x.config())
	t.Setenv("UNSET_FOR_TESTS", "")
	for name, test := range map[string]struct{ config, says string }{
		"auth_events without a transmitter":         {"http://localhost:8080 {\n auth_events /auth/events\n}", "auth_events has no transmitter"},
		"a key file that is not there":              {x.config("jwks testdata/missing.json"), "missing.json"},
		"CFG-9: an audience without a value":        {x.config("audience {env.UNSET_FOR_TESTS}"), "audience 2 has a placeholder"},
		"CFG-9: a secret without a value":           {x.config("global_revocation {env.UNSET_FOR_TESTS}"), "global_revocation has a placeholder"},
		"a certificate authority that is not there": {x.config("ca_file testdata/missing.pem"), "missing.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.TryReload(test.config); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q is not in: %v", test.says, err)
			}
			wantRefused(t, push(s, ""), "invalid_request") // what ran before goes on
		})
	}
}

// TestNoEndpoint has a transmitter that can send nothing.
func TestNoEndpoint(t *testing.T) {
	x := startTransmitter(t)
	const says = "no event can arrive"
	s := harness.Start(t, x.config())
	if strings.Contains(s.LogText(), says) {
		t.Error("a warning for a site with auth_events")
	}
	s.Reload(strings.Replace(x.config(), "auth_events /auth/events", "", 1))
	if !strings.Contains(s.LogText(), says) {
		t.Error("no warning without auth_events")
	}
}

// TestMetric has every series of a transmitter from the start.
func TestMetric(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	value := func(event, result string) string {
		line := fmt.Sprintf("caddy_auth_security_events_total{event=%q,result=%q,transmitter=%q} ", event, result, x.Issuer())
		for text := range strings.Lines(s.Do(http.MethodGet, s.AdminURL("/metrics")).Body) {
			if number, found := strings.CutPrefix(text, line); found {
				return strings.TrimSpace(number)
			}
		}
		return "none"
	}
	for event, result := range map[string]string{"session-revoked": "accepted", "other": "ignored", "none": "refused", "global-token-revocation": "accepted"} {
		if got := value(event, result); got != "0" {
			t.Errorf("%s %s: %s", event, result, got)
		}
	}
	wantAccepted(t, push(s, x.set(x.claims(caep+"session-revoked", x.user("alice")))))
	wantAccepted(t, push(s, x.set(x.claims("urn:mallory", x.user("alice")))))
	if got := value("session-revoked", "accepted") + value("other", "ignored"); got != "11" {
		t.Error(got)
	}
	if strings.Contains(s.Do(http.MethodGet, s.AdminURL("/metrics")).Body, "mallory") {
		t.Error("a label comes from an event")
	}
}

// TestEarlyData pushes an event in the first packets of a resumed connection, which
// others can send again.
func TestEarlyData(t *testing.T) {
	x := startTransmitter(t)
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", nil, time.Hour))
	config := strings.Replace(x.config(), "http://localhost:8080 {", "https://localhost:8081 {\n\ttls "+certificate+" "+key, 1)
	s := harness.StartWithAdmin(t, strings.Replace(config, "{\n", "{\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2 h2c h3\n\t}\n", 1))
	set := x.set(x.claims(caep+"session-revoked", x.user("alice")))
	fields := []string{":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/auth/events", "content-type", mime}
	early := s.SendEarly(s.Ticket(), fields, func() {
		harness.Eventually(t, "the event is refused before the handshake ends", func() bool { return strings.Contains(s.LogText(), "came in early data") })
	})
	if early.Status != http.StatusTooEarly || early.Body != "" {
		t.Errorf("early: %d %s", early.Status, early.Body)
	}
	if later := s.SendHTTP3(new(tls.Config), fields, set); later.Status != http.StatusAccepted {
		t.Errorf("after the handshake: %d %s", later.Status, later.Body)
	}
}

func resultsOf(s *harness.Server) (all []any) {
	for _, record := range s.Log("http.handlers.auth_events") {
		if record["msg"] == "security event" {
			all = append(all, record["result"])
		}
	}
	return all
}

func TestGlobalRevocation(t *testing.T) {
	const secret = "a-secret-of-the-incident-management-tool"
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config("global_revocation "+secret))
	revoke := func(body string, options ...harness.Option) *harness.Response {
		return s.Do(http.MethodPost, s.URL("/auth/events"), append(options, harness.Body("application/json", body))...)
	}
	body := `{"sub_id": {"format": "iss_sub", "iss": "` + x.Issuer() + `", "sub": "alice"}}`
	for name, test := range map[string]struct {
		body    string
		options []harness.Option
		status  int
	}{
		"without a token":               {body, nil, 401},
		"with another token":            {body, []harness.Option{harness.Bearer(secret + "x")}, 401},
		"with an empty token":           {body, []harness.Option{harness.Bearer("")}, 401},
		"with a password":               {body, []harness.Option{harness.Basic("", secret)}, 401},
		"of a subject of another":       {`{"sub_id": {"format": "iss_sub", "iss": "https://other.example", "sub": "alice"}}`, []harness.Option{harness.Bearer(secret)}, 403},
		"of a device":                   {`{"sub_id": {"format": "complex", "device": {"format": "opaque", "id": "1"}}}`, []harness.Option{harness.Bearer(secret)}, 422},
		"without a subject":             {`{}`, []harness.Option{harness.Bearer(secret)}, 400},
		"without JSON":                  {`alice`, []harness.Option{harness.Bearer(secret)}, 400},
		"with a subject without a name": {`{"sub_id": {"format": "email"}}`, []harness.Option{harness.Bearer(secret)}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			if got := revoke(test.body, test.options...); got.Status != test.status {
				t.Errorf("status %d\n%s", got.Status, got.Body)
			}
			wantRevoked(t, s, x.Token(old()), false)
		})
	}
	t.Run("the honest twin", func(t *testing.T) {
		if got := revoke(body, harness.Bearer(secret)); got.Status != http.StatusNoContent || got.Body != "" {
			t.Errorf("status %d\n%s", got.Status, got.Body)
		}
		wantRevoked(t, s, x.Token(old()), true)
	})
	t.Run("a transmitter without the line", func(t *testing.T) {
		s.Reload(x.config())
		if got := revoke(body, harness.Bearer("")); got.Status != http.StatusUnauthorized {
			t.Errorf("status %d", got.Status)
		}
	})
	if strings.Contains(s.LogText(), secret) {
		t.Error("a secret is in the log")
	}
}
