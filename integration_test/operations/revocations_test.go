package operations

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
)

const one = `{
	auth {
		bearer {` + harness.BearerLines + `}
	}
}
:8080 {
	require_auth
	respond ok
}`

func TestRevocations(t *testing.T) {
	s := harness.StartWithAdmin(t, one)
	now := time.Now()
	revoked := func(t *testing.T, token string, want bool) {
		t.Helper()
		got := s.Get("/", harness.Bearer(token))
		if want && (got.Status != http.StatusUnauthorized || got.Problem().Code != "revoked_token") || !want && got.Status != http.StatusOK {
			t.Errorf("status %d\n%s", got.Status, got.Body)
		}
	}
	other := harness.Token(t, harness.Claims{"jti": "other", "sub": "bob"})
	for name, test := range map[string]struct {
		claims harness.Claims
		body   func(token string) string
		want   requireauth.Revoked
		until  time.Time
	}{
		"by id": {
			harness.Claims{"jti": "a"}, func(string) string { return `{"jti": "a"}` },
			requireauth.Revoked{Revoked: "jti"}, now.Add(store.KeepRevocation),
		},
		"by id of an issuer, for a time": {
			harness.Claims{"jti": "b"},
			func(string) string {
				return `{"jti": "b", "issuer": "` + harness.Issuer + `", "until": "` + now.Add(time.Hour).Format(time.RFC3339) + `"}`
			},
			requireauth.Revoked{Revoked: "jti", About: store.About{Issuer: harness.Issuer}}, now.Add(time.Hour),
		},
		"by subject": {
			harness.Claims{"sub": "carol", "iat": now.Add(-time.Minute).Unix()}, func(string) string { return `{"sub": "carol"}` },
			requireauth.Revoked{Revoked: "sub"}, now.Add(store.KeepRevocation),
		},
		"by session of an issuer": {
			harness.Claims{"sub": "grace", "sid": "s-1"},
			func(string) string { return `{"sid": "s-1", "issuer": "` + harness.Issuer + `"}` },
			requireauth.Revoked{Revoked: "sid", About: store.About{Issuer: harness.Issuer}}, now.Add(store.KeepRevocation),
		},
		"by the token, which says when it ends": {
			harness.Claims{"sub": "dave"}, func(token string) string { return `{"token": "` + token + `"}` },
			requireauth.Revoked{Revoked: "token"}, now.Add(time.Hour + 30*time.Second),
		},
		"by the token, for a time": {
			harness.Claims{"sub": "erin"},
			func(token string) string {
				return `{"token": "` + token + `", "until": "` + now.Add(2*time.Hour).UTC().Format(time.RFC3339) + `"}`
			},
			requireauth.Revoked{Revoked: "token"}, now.Add(2 * time.Hour),
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := harness.Token(t, test.claims)
			revoked(t, token, false)
			got := decode[requireauth.Revoked](t, post(s, "/auth/revocations", test.body(token)))
			if difference := got.Until.Sub(test.until).Abs(); difference > 5*time.Second {
				t.Errorf("until %s, want %s", got.Until, test.until)
			}
			if got.Revoked != test.want.Revoked || got.Issuer != test.want.Issuer || !slices.Equal(got.Schemes, []string{"bearer"}) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			revoked(t, token, true)
			revoked(t, other, false)
		})
	}
	t.Run("a subject before an instant", func(t *testing.T) {
		issued := func(ago time.Duration) string {
			return harness.Token(t, harness.Claims{"sub": "frank", "iat": now.Add(-ago).Unix()})
		}
		before := now.Add(-10 * time.Minute).Truncate(time.Second)
		got := decode[requireauth.Revoked](t, post(s, "/auth/revocations", `{"sub": "frank", "before": "`+before.Format(time.RFC3339)+`"}`))
		if !got.Before.Equal(before) {
			t.Error(got.Before)
		}
		revoked(t, issued(20*time.Minute), true)
		revoked(t, issued(5*time.Minute), false)
	})
	t.Run("a token that no key here signed", func(t *testing.T) {
		got := decode[requireauth.Revoked](t, post(s, "/auth/revocations", `{"token": "opaque-token"}`))
		if got.Until.Sub(now.Add(store.KeepRevocation)).Abs() > 5*time.Second {
			t.Error(got.Until)
		}
	})
	if log := s.LogText(); strings.Contains(log, other) || strings.Contains(log, "opaque-token") {
		t.Error("a token is in the log")
	}
}

func TestRevocationsRefused(t *testing.T) {
	s := harness.StartWithAdmin(t, one)
	expired := harness.Token(t, harness.Claims{"exp": time.Now().Add(-time.Hour).Unix()})
	for name, test := range map[string]struct{ body, says string }{
		"nothing":                      {``, "invalid JSON object"},
		"a list":                       {`[]`, "invalid JSON object"},
		"text after it":                {`{"jti": "a"} {}`, "invalid JSON object"},
		"an empty object":              {`{}`, "jti, sub, sid and token"},
		"an issuer alone":              {`{"issuer": "i"}`, "jti, sub, sid and token"},
		"an unknown member":            {`{"jti": "a", "reason": "b"}`, "reason"},
		"another case":                 {`{"JTI": "a"}`, "JTI"},
		"a member with a strange name": {`{"` + expired + `": "a"}`, "strange name"},
		"a repeated member":            {`{"jti": "a", "jti": "b"}`, "duplicate member jti"},
		"a number":                     {`{"jti": 1}`, "jti"},
		"null":                         {`{"jti": "a", "until": null}`, "until"},
		"an empty one":                 {`{"sub": ""}`, "sub"},
		"two at once":                  {`{"jti": "a", "sub": "b"}`, "jti and sub"},
		"a token beside an id":         {`{"jti": "a", "token": "b"}`, "jti and token"},
		"no instant":                   {`{"sub": "a", "before": "yesterday"}`, "before"},
		"an instant for an id":         {`{"jti": "a", "before": "2001-01-01T00:00:00Z"}`, "before"},
		"a session beside a subject":   {`{"sub": "a", "sid": "b"}`, "sub and sid"},
		"an issuer for a token":        {`{"token": "a", "issuer": "b"}`, "issuer"},
		"one that has ended":           {`{"jti": "a", "until": "2001-01-01T00:00:00Z"}`, "until"},
		"a token that has expired":     {`{"token": "` + expired + `"}`, "expired"},
		"a whole token as an id":       {`{"jti": "` + expired + `"}`, "write it as token"},
		"a whole token as a subject":   {`{"sub": "` + expired + `"}`, "write it as token"},
		"a scheme for an id":           {`{"jti": "a", "scheme": "bearer"}`, "scheme goes with sub"},
		"a scheme beside an issuer":    {`{"sub": "a", "scheme": "bearer", "issuer": "b"}`, "scheme goes with sub"},
		"an unknown scheme":            {`{"sub": "a", "scheme": "b"}`, "scheme not found"},
		"a token with its scheme":      {`{"token": "Bearer a"}`, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			got := post(s, "/auth/revocations", test.body)
			wantError(t, got, http.StatusBadRequest, test.says)
			if strings.Contains(got.Body, expired) {
				t.Error("the answer repeats a token")
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		wantError(t, post(s, "/auth/revocations", `{"jti": "`+strings.Repeat("a", 64<<10)+`"}`), http.StatusRequestEntityTooLarge, "bytes")
	})
	t.Run("another type", func(t *testing.T) {
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
			got := s.Do(http.MethodPost, s.AdminURL("/auth/revocations"), harness.Body(media, `{"jti": "a"}`))
			wantError(t, got, http.StatusUnsupportedMediaType, "application/json")
		}
	})
	if strings.Contains(s.LogText(), expired) {
		t.Error("a token is in the log")
	}
}
