package answers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// anything is the value of a field that only has to be there.
const anything = "anything"

// TestRecords holds the log against the contract.
func TestRecords(t *testing.T) {
	s := harness.Start(t, site(`
		require_auth /me corp ops partners
		require_auth /admin corp {
			scope admin read
		}
		require_auth /role ops {
			role boss
		}
		require_auth /claim corp {
			claim tenant acme
		}
		require_auth /user corp {
			user bob
		}
		require_auth /if corp {
			if false
		}
		respond ok
	`))
	type fields map[string]any
	for _, row := range []struct {
		name, uri string
		options   []harness.Option
		want      fields
	}{
		{"no credentials", "/me?access_token=x&b=c", nil, fields{"decision": "denied", "status": 401.0, "code": "missing_credentials", "reason": "no credentials of an accepted scheme"}},
		{"garbage", "/me", with(harness.Bearer("x")), fields{"decision": "denied", "status": 401.0, "code": "invalid_token", "reason": "not three parts separated by dots", "scheme": "corp", "check": "format"}},
		{"audience", "/me", with(tokenWithClaims(t, harness.Claims{"aud": "x"})), fields{"decision": "denied", "status": 401.0, "code": "invalid_token", "reason": "aud names no configured audience", "scheme": "corp", "check": "audience", "expected": harness.Audience, "found": "x"}},
		{"signature", "/me", with(harness.Bearer(badTokens(t)["bad signature"])), fields{"decision": "denied", "status": 401.0, "code": "invalid_token", "reason": "the signature fits no key", "scheme": "corp", "check": "signature"}},
		{"expired", "/me", with(tokenWithClaims(t, harness.Claims{"exp": 1})), fields{"decision": "denied", "status": 401.0, "code": "expired_token", "reason": "expired at 1970-01-01T00:00:01Z", "scheme": "corp", "check": "expiry", "off_by": anything}},
		{"password", "/me", with(harness.Basic("alice", "x")), fields{"decision": "denied", "status": 401.0, "code": "invalid_credentials", "reason": "unknown user or wrong password", "scheme": "ops"}},
		{"key", "/me", with(key("x")), fields{"decision": "denied", "status": 401.0, "code": "invalid_credentials", "reason": "unknown key", "scheme": "partners"}},
		{"two fields", "/me", with(harness.Bearer("x"), harness.Bearer("y")), fields{"decision": "denied", "status": 400.0, "code": "invalid_request", "reason": "more than one Authorization field"}},
		{"two places", "/me", with(harness.Bearer("x"), key("y")), fields{"decision": "denied", "status": 400.0, "code": "invalid_request", "reason": "more than one credential in the request: in header Authorization and in header X-Api-Key"}},
		{"scope", "/admin", with(tokenWithScope(t, "read")), fields{"decision": "denied", "status": 403.0, "code": "insufficient_scope", "reason": "a required scope is missing",
			"scheme": "corp", "user_id": "alice", "issuer": harness.Issuer, "required": "scope admin read", "missing": "[admin]"}},
		{"role", "/role", with(harness.Basic("alice", password)), fields{"decision": "denied", "status": 403.0, "code": "insufficient_role", "reason": "a required role is missing",
			"scheme": "ops", "user_id": "alice", "required": "role boss", "missing": "[boss]"}},
		{"claim", "/claim", with(harness.Bearer(harness.Token(t))), fields{"decision": "denied", "status": 403.0, "code": "access_denied", "reason": "a required claim is missing or has another value",
			"scheme": "corp", "user_id": "alice", "issuer": harness.Issuer, "required": "claim tenant acme", "missing": "[claim tenant]"}},
		{"user", "/user", with(harness.Bearer(harness.Token(t))), fields{"decision": "denied", "status": 403.0, "code": "access_denied", "reason": "the user is not one of those required",
			"scheme": "corp", "user_id": "alice", "issuer": harness.Issuer, "required": "user bob", "missing": "[user]"}},
		{"condition", "/if", with(harness.Bearer(harness.Token(t))), fields{"decision": "denied", "status": 403.0, "code": "access_denied", "reason": "the condition is false",
			"scheme": "corp", "user_id": "alice", "issuer": harness.Issuer, "required": "if false", "missing": "[if]"}},
		{"admission", "/me?a=b", with(key(apiKey)), fields{"decision": "admitted", "scheme": "partners", "user_id": "partner-a"}},
		{"admission by token", "/me", with(harness.Bearer(harness.Token(t))), fields{"decision": "admitted", "scheme": "corp", "user_id": "alice", "issuer": harness.Issuer}},
	} {
		t.Run("R9457-3: the record of a decision: "+row.name, func(t *testing.T) {
			before := len(s.Decisions())
			r := s.Get(row.uri, row.options...)
			if n := len(s.Decisions()) - before; n != 1 {
				t.Errorf("%d records", n)
			}
			record := decisionsByPath(t, s)
			level := "info"
			if row.want["decision"] == "admitted" {
				level = "debug"
			} else {
				row.want["host"] = s.Addr()
			}
			if level == "info" && record["trace_id"] != r.Header.Get("X-Trace-Id") {
				t.Errorf("trace id %v, the answer has %s", record["trace_id"], r.Header.Get("X-Trace-Id"))
			}
			path, _, _ := strings.Cut(row.uri, "?")
			row.want["uri"], row.want["method"], row.want["client_ip"] = path, "GET", "127.0.0.1"
			row.want["level"], row.want["logger"], row.want["msg"] = level, "http.handlers.require_auth", row.want["decision"]
			if id, _ := record["trace_id"].(string); id == "" {
				t.Error("no trace id")
			}
			delete(record, "trace_id")
			delete(record, "ts")
			for name, value := range row.want {
				if got := record[name]; fmt.Sprint(got) != fmt.Sprint(value) && (value != anything || got == nil) {
					t.Errorf("%s: %v, want %v", name, got, value)
				}
				delete(record, name)
			}
			if len(record) > 0 {
				t.Errorf("also there: %v", record)
			}
		})
	}
}

// TestTraceID asks which ids of clients are taken.
func TestTraceID(t *testing.T) {
	s := harness.Start(t, bearerSite("require_auth\nrespond ok"))
	for value, taken := range map[string]bool{
		"7f3c-a_b.c:d=e/f+g@h": true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": true, strings.Repeat("a", 128): true,
		strings.Repeat("a", 129): false, `a"b`: false, "a b": false, "a'b": false, "a,b": false, "<b>": false, "{a}": false, "a\tb": false, "a;b": false, "é": false, "a%0d%0ab": false, `a\r\nb`: false, "": false,
	} {
		t.Run(fmt.Sprintf("R9457-3: X-Trace-Id %.40q", strings.ReplaceAll(value, "/", "∕")), func(t *testing.T) {
			for _, accept := range []string{"application/json", "text/html", "text/plain"} {
				r := s.Get("/", harness.Header("X-Trace-Id", value), harness.Header("Accept", accept))
				got := r.Header.Get("X-Trace-Id")
				if (got == value) != taken || got == "" || len(r.Header.Values("X-Trace-Id")) != 1 {
					t.Errorf("the trace id is %q", got)
				}
				if !strings.Contains(r.Body, got) && !strings.Contains(r.Body, strings.ReplaceAll(got, "+", "&#43;")) || !taken && value != "" && strings.Contains(r.Body, value) && value != "<b>" {
					t.Errorf("the body is %s", r.Body)
				}
				if decisionsByPath(t, s)["trace_id"] != got {
					t.Errorf("the record has %v", decisionsByPath(t, s)["trace_id"])
				}
			}
		})
	}
	t.Run("R9457-3: two trace ids are none", func(t *testing.T) {
		r := s.Get("/", harness.Header("X-Trace-Id", "a"), harness.Header("X-Trace-Id", "b"))
		if got := r.Header.Get("X-Trace-Id"); len(got) != 36 {
			t.Errorf("the trace id is %q", got)
		}
	})
	t.Run("R9457-3: every request has its own, and a configured place comes first", func(t *testing.T) {
		a, b := s.Get("/").Header.Get("X-Trace-Id"), s.Get("/").Header.Get("X-Trace-Id")
		if a == b || len(a) != 36 {
			t.Errorf("%s and %s", a, b)
		}
		s := harness.Start(t, configure("", "trace_id {http.request.header.X-Amzn} {http.request.header.X-Other}\n"+schemes, "require_auth corp\nrespond ok"))
		for name, options := range map[string][]harness.Option{
			"first": with(harness.Header("X-Amzn", "one"), harness.Header("X-Other", "two")), "second": with(harness.Header("X-Amzn", "no good"), harness.Header("X-Other", "two")),
		} {
			if got := s.Get("/", options...).Header.Get("X-Trace-Id"); got != map[string]string{"first": "one", "second": "two"}[name] {
				t.Errorf("%s: %q", name, got)
			}
		}
		if got := s.Get("/", harness.Header("X-Trace-Id", "mine")).Header.Get("X-Trace-Id"); got == "mine" {
			t.Error("X-Trace-Id is not configured here")
		}
	})
}

// TestPlaceholders asks what later handlers and the access log see.
func TestPlaceholders(t *testing.T) {
	s := harness.Start(t, site(`
		log
		require_auth /me corp ops partners
		require_auth /admin corp {
			scope admin
		}
		respond "{http.auth.user.id}|{http.auth.user.scope}|{http.auth.user.tenant}|{http.auth.user.org.unit}|{http.auth.user.list}|{http.auth.user.none}|{http.auth.scheme}|{http.auth.client.id}"
	`))
	t.Run("R9110-2: after admission", func(t *testing.T) {
		claims := harness.Claims{"scope": "read write", "tenant": "acme", "org": map[string]any{"unit": 7}, "list": []any{"a", 1, true}, "client_id": "app"}
		wantPassed(t, s.Get("/me", tokenWithClaims(t, claims)), "alice|read write|acme|7|a,1,true||corp|app")
		wantPassed(t, s.Get("/me", harness.Basic("alice", password)), "alice|read|||||ops|")
		wantPassed(t, s.Get("/me", key(apiKey)), "partner-a|read|||||partners|")
	})
	access := func() []map[string]any { return s.Log("http.log.access") }
	t.Run("R9110-2: the access log names only admitted users", func(t *testing.T) {
		for _, row := range []struct {
			path   string
			option harness.Option
			user   string
		}{
			{"/me", harness.Bearer(harness.Token(t)), "alice"}, {"/admin", harness.Bearer(harness.Token(t)), ""}, {"/me", harness.Bearer("x"), ""}, {"/me", tokenWithClaims(t, harness.Claims{"exp": 1}), ""},
		} {
			before := len(access())
			s.Get(row.path, row.option)
			harness.Eventually(t, "the access log", func() bool { return len(access()) > before })
			if got := access()[before]["user_id"]; got != row.user {
				t.Errorf("%s: user_id %q, want %q", row.path, got, row.user)
			}
		}
	})
}
