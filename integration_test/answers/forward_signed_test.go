package answers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	keysPath = "/.well-known/auth/jwks.json"
	orders   = "https://orders.internal"
)

// signedLines is a line `forward_signed X-Identity`.
func signedLines(more string) string {
	return "forward_signed X-Identity {\naudience " + orders + "\n" + more + "\n}\n"
}

// verifyClaims verifies a JWT as an upstream does, and returns its claims.
func verifyClaims(t *testing.T, s *harness.Server, issuer, audience, token string) map[string]any {
	t.Helper()
	keys := oidc.NewRemoteKeySet(t.Context(), s.URL(keysPath))
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	checked, err := verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("%v: %q", err, token)
	}
	var claims map[string]any
	if err := checked.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestForwardSigned has an upstream that verifies who calls.
func TestForwardSigned(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site(`
		@guarded not path /open
		require_auth @guarded corp ops partners {
			optional
			preflight forward
			forward X-User {http.auth.user.id}
			`+signedLines("claims email realm_access.roles roles level missing")+`
			forward_signed X-Other {
				audience https://other.internal https://more.internal
				ttl 2m
				issuer https://gate.example
			}
		}
		reverse_proxy `+b.addr))
	own := strings.TrimSuffix(s.URL(""), "/")
	send := func(t *testing.T, method, path string, options ...harness.Option) http.Header {
		t.Helper()
		want(t, s.Do(method, s.URL(path), options...), 200, "")
		return b.last(t).Header
	}
	signedFor := func(t *testing.T, options ...harness.Option) map[string]any {
		t.Helper()
		return verifyClaims(t, s, own, orders, send(t, "GET", "/", options...).Get("X-Identity"))
	}
	t.Run("ID-1: a number that has lost digits is left out", func(t *testing.T) {
		claims := signedFor(t, tokenWithClaims(t, harness.Claims{"level": json.Number("12345678901234567890"), "email": "alice@example.com"}))
		if _, present := claims["level"]; present || claims["email"] == nil {
			t.Error(claims)
		}
	})
	t.Run("ID-1: a token with everything", func(t *testing.T) {
		act := map[string]any{"sub": "service", "act": map[string]any{"sub": "gateway"}}
		claims := signedFor(t, tokenWithClaims(t, harness.Claims{
			"scope": "read write", "client_id": "web", "email": "alice@example.com", "level": 7, "act": act, "secret": "not chosen",
			"realm_access": map[string]any{"roles": []string{"clerk"}}, "roles": []string{"staff"}, "jti": "t1",
		}))
		life := claims["exp"].(float64) - claims["iat"].(float64)
		delete(claims, "iat")
		delete(claims, "exp")
		expected := map[string]any{
			"iss": own, "aud": orders, "sub": "alice", "client_id": "web", "scope": "read write", "idp": harness.Issuer, "email": "alice@example.com",
			"level": 7.0, "realm_access.roles": []any{"clerk"}, "roles": []any{"staff"}, "act": act,
		}
		if fmt.Sprint(claims) != fmt.Sprint(expected) || life != 60 {
			t.Errorf("got %v for %v s, want %v", claims, life, expected)
		}
	})
	t.Run("ID-1: a caller with a password, and one with a key", func(t *testing.T) {
		for identity, option := range map[string]harness.Option{"alice [operator] read <nil>": harness.Basic("alice", password), "partner-a <nil> read <nil>": key(apiKey)} {
			claims := signedFor(t, option)
			if got := fmt.Sprint(claims["sub"], " ", claims["roles"], " ", claims["scope"], " ", claims["idp"]); got != identity {
				t.Errorf("got %s, want %s", got, identity)
			}
		}
	})
	t.Run("R9700-4: a client that acts for itself has no sub", func(t *testing.T) {
		claims := signedFor(t, tokenWithClaims(t, harness.Claims{"sub": "alice", "client_id": "alice"}))
		if claims["sub"] != nil || claims["client_id"] != "alice" {
			t.Errorf("got %v", claims)
		}
	})
	t.Run("ID-1: each field has its own audience, issuer and life", func(t *testing.T) {
		other := send(t, "GET", "/", harness.Bearer(harness.Token(t))).Get("X-Other")
		claims := verifyClaims(t, s, "https://gate.example", "https://more.internal", other)
		if fmt.Sprint(claims["aud"]) != "[https://other.internal https://more.internal]" || claims["exp"].(float64)-claims["iat"].(float64) != 120 || claims["email"] != nil {
			t.Errorf("got %v", claims)
		}
	})
	t.Run("ID-1: one signature for a caller, none for another", func(t *testing.T) {
		alice, bob := harness.Bearer(harness.Token(t)), harness.Bearer(harness.Token(t, harness.Claims{"sub": "bob"}))
		first := send(t, "GET", "/", alice).Get("X-Identity")
		for range 20 {
			if send(t, "GET", "/", alice).Get("X-Identity") != first {
				t.Fatal("each request is signed")
			}
		}
		if verifyClaims(t, s, own, orders, send(t, "GET", "/", bob).Get("X-Identity"))["sub"] != "bob" {
			t.Error("bob has the identity of another")
		}
	})
	t.Run("ID-1: the identity ends with the token", func(t *testing.T) {
		ends := time.Now().Add(30 * time.Second).Unix()
		if got := signedFor(t, tokenWithClaims(t, harness.Claims{"exp": ends}))["exp"]; got != float64(ends) {
			t.Errorf("it ends at %v, the token at %d", got, ends)
		}
	})
	t.Run("ID-1: what is longer than a field is left out", func(t *testing.T) {
		h := send(t, "GET", "/", tokenWithClaims(t, harness.Claims{"email": strings.Repeat("a", 9000)}), harness.Header("X-Identity", "x"))
		if h["X-Identity"] != nil || h.Get("X-User") != "alice" || h["X-Other"] == nil {
			t.Errorf("got %v", h)
		}
	})
	forged := with(harness.Header("X-Identity", "x"), harness.Header("x-identity", "x"), harness.Header("X_Identity", "x"), harness.Header("X!Identity", "x"), harness.Header("Connection", "X-Identity"))
	for name, h := range map[string]http.Header{
		"an anonymous caller":    send(t, "GET", "/", forged...),
		"a route without a gate": send(t, "GET", "/open", forged...),
		"a preflight":            send(t, "OPTIONS", "/", append(preflight, forged...)...),
	} {
		t.Run("ID-2: the field of a client is removed: "+name, func(t *testing.T) {
			for field := range h {
				if strings.HasSuffix(strings.ToLower(field), "identity") {
					t.Errorf("%s: %q", field, h[field])
				}
			}
		})
	}
	t.Run("ID-2: the field of a client is replaced", func(t *testing.T) {
		h := send(t, "GET", "/", append(forged, harness.Bearer(harness.Token(t)))...)
		if len(h["X-Identity"]) != 1 || verifyClaims(t, s, own, orders, h.Get("X-Identity"))["sub"] != "alice" || h["X_identity"] != nil || h["X!identity"] != nil {
			t.Errorf("got %v", h)
		}
	})
	t.Run("ID-1: another audience and another issuer are refused by an upstream", func(t *testing.T) {
		token := send(t, "GET", "/", harness.Bearer(harness.Token(t))).Get("X-Identity")
		for _, config := range [][2]string{{own, "https://other.internal"}, {"https://other.example", orders}} {
			keys := oidc.NewRemoteKeySet(t.Context(), s.URL(keysPath))
			if _, err := oidc.NewVerifier(config[0], keys, &oidc.Config{ClientID: config[1], SupportedSigningAlgs: []string{oidc.ES256}}).Verify(t.Context(), token); err == nil {
				t.Errorf("%v is good", config)
			}
		}
	})
	t.Run("ID-1: a reload keeps the keys", func(t *testing.T) {
		token := send(t, "GET", "/", harness.Bearer(harness.Token(t))).Get("X-Identity")
		s.Reload(site("respond maintenance"))
		s.Reload(site("require_auth corp {\n" + signedLines("") + "}\nreverse_proxy " + b.addr))
		if verifyClaims(t, s, own, orders, token)["sub"] != "alice" {
			t.Error("got another")
		}
	})
}

// TestForwardSignedOfActor has tokens of a service that acts for a user (RFC 8693 §4.1).
func TestForwardSignedOfActor(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site("require_auth corp ops partners {\n"+signedLines("claims email")+"}\nreverse_proxy "+b.addr))
	own := strings.TrimSuffix(s.URL(""), "/")
	signed := func(t *testing.T, options ...harness.Option) string {
		t.Helper()
		want(t, s.Get("/", options...), 200, "")
		return b.last(t).Header.Get("X-Identity")
	}
	service := map[string]any{"sub": "service", "iss": "https://idp.example.com"}
	nested := map[string]any{"sub": "service", "act": map[string]any{"sub": "gateway", "act": map[string]any{"client_id": "app"}}}
	forged := harness.Header("X-Identity", harness.Token(t, harness.Claims{"iss": own, "aud": orders, "sub": "admin", "act": service}))
	key, password := key(apiKey), harness.Basic("alice", password)
	for name, c := range map[string]struct {
		options []harness.Option
		act     any
	}{
		"a service":                      {with(tokenWithClaims(t, harness.Claims{"act": service})), service},
		"a chain of services":            {with(tokenWithClaims(t, harness.Claims{"act": nested})), nested},
		"the user":                       {with(tokenWithClaims(t, harness.Claims{"jti": "t2"})), nil},
		"null is not an actor":           {with(tokenWithClaims(t, harness.Claims{"act": nil})), nil},
		"a claim inside another":         {with(tokenWithClaims(t, harness.Claims{"email": map[string]any{"act": service}})), nil},
		"a password":                     {with(password), nil},
		"a key":                          {with(key), nil},
		"a field of the client":          {with(tokenWithClaims(t, harness.Claims{"jti": "t3"}), forged), nil},
		"a field of the client, a chain": {with(tokenWithClaims(t, harness.Claims{"act": nested, "jti": "t4"}), forged), nested},
		"other fields of the client":     {with(tokenWithClaims(t, harness.Claims{"jti": "t5"}), harness.Header("act", `{"sub": "admin"}`), harness.Header("X-Act", "admin")), nil},
	} {
		t.Run("ID-1: "+name, func(t *testing.T) {
			claims := verifyClaims(t, s, own, orders, signed(t, c.options...))
			if got := claims["act"]; fmt.Sprint(got) != fmt.Sprint(c.act) || claims["sub"] == "admin" {
				t.Errorf("the actor of %v is %v, want %v", claims["sub"], got, c.act)
			}
		})
	}
	for name, act := range map[string]any{"a text": "service", "a list": []any{service}, "a number": 1} {
		t.Run("ID-1: without an identity: the actor is "+name, func(t *testing.T) {
			if got := signed(t, tokenWithClaims(t, harness.Claims{"act": act})); got != "" || !strings.Contains(s.LogText(), "the claim act is not an object") {
				t.Errorf("%q\n%s", got, s.LogText())
			}
		})
	}
}

// TestForwardSignedOfReports has a gate that only reports.
func TestForwardSignedOfReports(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, bearerSite("require_auth {\nreport_only\nscope admin\n"+signedLines("")+"}\nreverse_proxy "+b.addr))
	for name, options := range map[string][]harness.Option{
		"no credential": nil, "an invalid one": with(harness.Bearer("x")), "too little scope": with(tokenWithScope(t, "read")),
	} {
		t.Run("ID-1: a caller who would be denied has no identity: "+name, func(t *testing.T) {
			want(t, s.Get("/", append(options, harness.Header("X-Identity", "x"))...), 200, "")
			if got := b.last(t).Header["X-Identity"]; got != nil {
				t.Errorf("got %q", got)
			}
		})
	}
	want(t, s.Get("/", tokenWithScope(t, "admin")), 200, "")
	verifyClaims(t, s, strings.TrimSuffix(s.URL(""), "/"), orders, b.last(t).Header.Get("X-Identity"))
}

// TestForwardSignedOfSeveralGates has two gates with the same field.
func TestForwardSignedOfSeveralGates(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site("auth_jwks\nroute {\nrequire_auth partners {\n"+signedLines("")+"}\nrequire_auth corp {\noptional\n"+signedLines("")+"}\nreverse_proxy "+b.addr+"\n}"))
	for name, test := range map[string]struct {
		options []harness.Option
		sub     string
	}{
		"the last gate that admitted":          {with(key(apiKey), harness.Bearer(harness.Token(t))), "alice"},
		"an anonymous caller of the last gate": {with(key(apiKey)), "partner-a"},
	} {
		t.Run("ID-1: "+name, func(t *testing.T) {
			want(t, s.Get("/", test.options...), 200, "")
			if got := verifyClaims(t, s, strings.TrimSuffix(s.URL(""), "/"), orders, b.last(t).Header.Get("X-Identity"))["sub"]; got != test.sub {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestSigningKeys reads the published keys.
func TestSigningKeys(t *testing.T) {
	s := harness.Start(t, bearerSite("auth_cors https://web.example\nrequire_auth {\n"+signedLines("")+"}\nrespond in"))
	read := func(t *testing.T, r *harness.Response) jose.JSONWebKeySet {
		t.Helper()
		want(t, r, 200, "")
		field(t, r, "Content-Type", "application/jwk-set+json")
		field(t, r, "Cache-Control", "public, max-age=300")
		field(t, r, "Access-Control-Allow-Origin", "*")
		field(t, r, "Access-Control-Allow-Credentials")
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(r.Body), &set); err != nil {
			t.Fatal(err)
		}
		return set
	}
	t.Run("JWT-6: no private member, and all that a verifier needs", func(t *testing.T) {
		r := s.Get(keysPath, harness.Header("Origin", "https://anywhere.example"))
		for _, key := range read(t, r).Keys {
			if !key.Valid() || !key.IsPublic() || key.Use != "sig" || key.Algorithm != "ES256" || key.KeyID == "" {
				t.Errorf("got %+v", key)
			}
		}
		if strings.Contains(r.Body, `"d"`) {
			t.Error(r.Body)
		}
		if got := s.Get(keysPath, harness.Header("If-None-Match", r.Header.Get("Etag"))).Status; got != http.StatusNotModified {
			t.Errorf("status %d", got)
		}
	})
	t.Run("R9110-1: other methods and paths", func(t *testing.T) {
		if r := s.Do("HEAD", s.URL(keysPath)); r.Status != 200 || r.Body != "" {
			t.Errorf("HEAD: %d %q", r.Status, r.Body)
		}
		if r := s.Do("POST", s.URL(keysPath)); r.Status != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST: %d %v", r.Status, r.Header)
		}
		for _, path := range []string{keysPath + "/", keysPath + "x", "/.well-known/auth/", "/.well-known/auth", "/x" + keysPath, "/.well-known/AUTH/jwks.json", "/.well-known/auth//jwks.json/.."} {
			if got := s.Get(path).Status; got != 401 {
				t.Errorf("%s: status %d", path, got)
			}
		}
	})
	t.Run("R9110-1: a gate in a handle needs the directive", func(t *testing.T) {
		gate := "handle /api/* {\nrequire_auth {\n" + signedLines("") + "}\nrespond in\n}\n"
		for lines, status := range map[string]int{gate: 404, "auth_jwks\n" + gate: 200, "auth_jwks\nrespond open": 200} {
			s := harness.Start(t, bearerSite(lines+"\nerror 404"))
			if got := s.Get(keysPath).Status; got != status {
				t.Errorf("%s: status %d, want %d", lines, got, status)
			}
		}
	})
}
