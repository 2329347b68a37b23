package bearer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestForm(t *testing.T) {
	good := sign(t, "ES256", nil, nil)
	header, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	last := signature[len(signature)-1]
	otherBits := string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", last)^1])
	for name, token := range map[string]string{
		"JWT-1: empty":                         "",
		"JWT-1: a word":                        "token",
		"JWT-1: two parts":                     header + "." + claims,
		"JWT-1: four parts":                    good + ".AAAA",
		"JWT-12: five parts, encrypted":        good + ".AAAA.AAAA",
		"JWT-1: no header":                     "." + claims + "." + signature,
		"JWT-1: no claims":                     header + ".." + signature,
		"JWT-1: no signature":                  header + "." + claims + ".",
		"JWT-1: padding":                       good + "=",
		"JWT-1: trailing bits":                 good[:len(good)-1] + otherBits,
		"JWT-1: a line break":                  header + "." + claims + ".\n" + signature,
		"JWT-1: a space":                       header + " ." + claims + "." + signature,
		"JWT-1: the other base64":              strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"JWT-1: JSON serialization":            `{"payload":"` + claims + `","protected":"` + header + `","signature":"` + signature + `"}`,
		"JWT-7: crit":                          sign(t, "ES256", map[string]any{"crit": []string{"exp"}}, nil),
		"JWT-7: crit empty":                    sign(t, "ES256", map[string]any{"crit": []string{}}, nil),
		"JWT-7: crit null":                     signRaw(t, "ES256", `{"alg":"ES256","crit":null}`, decodePart(t, claims)),
		"JWT-7: b64":                           sign(t, "ES256", map[string]any{"b64": false}, nil),
		"JWT-7: repeated header":               signRaw(t, "ES256", `{"alg":"ES256","alg":"ES256"}`, decodePart(t, claims)),
		"JWT-7: repeated claim":                signRaw(t, "ES256", `{"alg":"ES256"}`, strings.Replace(decodePart(t, claims), `"sub"`, `"sub":"bob","sub"`, 1)),
		"JWT-7: a claim in other letter case":  signRaw(t, "ES256", `{"alg":"ES256"}`, strings.Replace(decodePart(t, claims), `"sub"`, `"Sub":"bob","sub"`, 1)),
		"JWT-7: a header in other letter case": signRaw(t, "ES256", `{"alg":"ES256","ALG":"none"}`, decodePart(t, claims)),
		"JWT-6: kid is a number":               sign(t, "ES256", map[string]any{"kid": 1}, nil),
		"JWT-12: compressed":                   sign(t, "ES256", map[string]any{"typ": "JWE"}, nil),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, scheme(t), token, authn.CodeInvalidToken) })
	}
	t.Run("JWT-1: over 16 KiB", func(t *testing.T) {
		wantRefused(t, scheme(t), sign(t, "ES256", nil, map[string]any{"x": strings.Repeat("x", authn.MaxCredential)}), authn.CodeInvalidRequest)
	})
	t.Run("JWT-6: keys and addresses in the header are not used", func(t *testing.T) {
		header := map[string]any{"kid": "../../etc/passwd", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "jwk": map[string]any{"kty": "oct", "k": "AAAA"}, "x5c": []string{"AAAA"}}
		wantAccepted(t, scheme(t), sign(t, "ES256", header, nil))
	})
	t.Run("JWT-1: the good one", func(t *testing.T) { wantAccepted(t, scheme(t), good) })
}

func TestTimes(t *testing.T) {
	at := func(seconds int64) int64 { return testNow.Unix() + seconds }
	for name, tc := range map[string]struct {
		claims map[string]any
		code   authn.Code // empty: accepted
	}{
		"JWT-10: in time":                       {map[string]any{"exp": at(1)}, ""},
		"JWT-10 JWT-11: within the leeway":      {map[string]any{"exp": at(-29)}, ""},
		"JWT-10 JWT-11: at the end of it":       {map[string]any{"exp": at(-30)}, authn.CodeExpiredToken},
		"JWT-10: a fraction":                    {map[string]any{"exp": float64(at(-30)) + 0.5}, ""},
		"JWT-10: missing":                       {map[string]any{"exp": nil}, authn.CodeInvalidToken},
		"JWT-10: a string":                      {map[string]any{"exp": "1100000000"}, authn.CodeInvalidToken},
		"JWT-10: negative":                      {map[string]any{"exp": -1}, authn.CodeInvalidToken},
		"JWT-10: after the year 9999":           {map[string]any{"exp": 1e15}, authn.CodeInvalidToken},
		"JWT-10: a list":                        {map[string]any{"exp": []int64{at(9)}}, authn.CodeInvalidToken},
		"JWT-11: nbf within the leeway":         {map[string]any{"nbf": at(30)}, ""},
		"JWT-11: nbf in the future":             {map[string]any{"nbf": at(31)}, authn.CodeInvalidToken},
		"JWT-11: nbf is not a number":           {map[string]any{"nbf": "now"}, authn.CodeInvalidToken},
		"JWT-11: iat a minute ahead":            {map[string]any{"iat": at(60)}, ""},
		"JWT-11: iat more than a minute ahead":  {map[string]any{"iat": at(61)}, authn.CodeInvalidToken},
		"JWT-11: iat is not a number":           {map[string]any{"iat": "x"}, authn.CodeInvalidToken},
		"JWT-10: expired, and another audience": {map[string]any{"exp": at(-90), "aud": "x"}, authn.CodeInvalidToken},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, "ES256", nil, tc.claims)
			if tc.code == "" {
				wantAccepted(t, scheme(t), token)
			} else {
				wantRefused(t, scheme(t), token, tc.code)
			}
		})
	}
	t.Run("JWT-10: null and out of range as they are written", func(t *testing.T) {
		for _, exp := range []string{"null", "1e400", "NaN", "0x7fffffff"} {
			wantRefused(t, scheme(t), signRaw(t, "ES256", `{"alg":"ES256"}`, `{"iss":"`+testIssuer+`","aud":"`+testAudience+`","sub":"a","exp":`+exp+`}`), authn.CodeInvalidToken)
		}
	})
}

func TestIssuerAndAudience(t *testing.T) {
	for _, issuer := range []any{testIssuer + "/", "HTTPS://idp.example.com", "https://IDP.example.com", "https://idp.example.com:443", testIssuer + " ", "https://idp.example.com\u200b", nil, 1, []string{testIssuer}} {
		t.Run("JWT-8 R9068-2: another issuer is not applicable", func(t *testing.T) {
			outcome := verify(scheme(t), sign(t, "ES256", nil, map[string]any{"iss": issuer}))
			if outcome.Verdict != authn.NotApplicable || outcome.Code != authn.CodeInvalidToken {
				t.Errorf("%v: verdict %d", issuer, outcome.Verdict)
			}
		})
	}
	for name, tc := range map[string]struct {
		audience any
		good     bool
	}{
		"a string":            {testAudience, true},
		"a list":              {[]string{"x", testAudience}, true},
		"absent":              {nil, false},
		"an empty list":       {[]string{}, false},
		"a slash more":        {testAudience + "/", false},
		"another letter case": {"https://API.example.com", false},
		"a number":            {1, false},
		"a number in a list":  {[]any{testAudience, 1}, false},
		"an object":           {map[string]any{testAudience: true}, false},
		"an empty string":     {"", false}, // where the gate has no audience of its own
	} {
		t.Run("JWT-9 R9068-2: aud is "+name, func(t *testing.T) {
			token := sign(t, "ES256", nil, map[string]any{"aud": tc.audience})
			if tc.good {
				wantAccepted(t, scheme(t), token)
			} else {
				wantRefused(t, scheme(t), token, authn.CodeInvalidToken)
			}
		})
	}
	t.Run("JWT-9: audience * takes any", func(t *testing.T) {
		wantAccepted(t, scheme(t, func(b *Bearer) { b.Audiences = []string{"*"} }), sign(t, "ES256", nil, map[string]any{"aud": nil}))
	})
	t.Run("JWT-8: without an issuer a bad signature is not applicable", func(t *testing.T) {
		b := scheme(t)
		b.Issuer = ""
		token := sign(t, "ES256", nil, nil)
		if outcome := verify(b, token[:len(token)-8]+"AAAAAAAA"); outcome.Verdict != authn.NotApplicable {
			t.Errorf("verdict %d", outcome.Verdict)
		}
	})
}

func TestKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		header, claims map[string]any
		good           bool
	}{
		"no typ":                      {map[string]any{"typ": nil}, nil, true},
		"at+jwt":                      {map[string]any{"typ": "at+jwt"}, nil, true},
		"application/at+jwt":          {map[string]any{"typ": "application/AT+JWT"}, nil, true},
		"a DPoP proof":                {map[string]any{"typ": "dpop+jwt"}, nil, false},
		"a logout token":              {map[string]any{"typ": "logout+jwt"}, nil, false},
		"a security event":            {map[string]any{"typ": "secevent+jwt"}, nil, false},
		"an introspection answer":     {map[string]any{"typ": "token-introspection+jwt"}, nil, false},
		"a transaction token":         {map[string]any{"typ": "txntoken+jwt"}, nil, false},
		"typ is a number":             {map[string]any{"typ": 1}, nil, false},
		"an ID token by nonce":        {nil, map[string]any{"nonce": "x"}, false},
		"an ID token by at_hash":      {nil, map[string]any{"at_hash": "x"}, false},
		"a logout token by events":    {nil, map[string]any{"events": map[string]any{}}, false},
		"Keycloak's ID token":         {nil, map[string]any{"typ": "ID"}, false},
		"Keycloak's refresh token":    {nil, map[string]any{"typ": "Refresh"}, false},
		"Keycloak's, with a nonce":    {nil, map[string]any{"typ": "Bearer", "nonce": "x"}, true},
		"Cognito's ID token":          {nil, map[string]any{"token_use": "id"}, false},
		"Cognito's access token":      {nil, map[string]any{"token_use": "access"}, true},
		"at+jwt may have a nonce":     {map[string]any{"typ": "at+jwt"}, map[string]any{"nonce": "x"}, true},
		"bound to a key, as Bearer":   {nil, map[string]any{"cnf": map[string]any{"jkt": "x"}}, false},
		"bound to a certificate":      {nil, map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}, false},
		"bound to something else":     {nil, map[string]any{"cnf": map[string]any{"kid": "x"}}, false},
		"bound, but not said to what": {nil, map[string]any{"cnf": map[string]any{}}, false},
		"bound to a key by a number":  {nil, map[string]any{"cnf": map[string]any{"jkt": 1}}, false},
		"bound to no certificate":     {nil, map[string]any{"cnf": map[string]any{"x5t#S256": ""}}, false},
		"cnf is not an object":        {nil, map[string]any{"cnf": "x"}, false},
	} {
		t.Run("JWT-13 R9068-1: "+name, func(t *testing.T) {
			token := sign(t, "ES256", tc.header, tc.claims)
			if tc.good {
				wantAccepted(t, scheme(t), token)
			} else {
				wantRefused(t, scheme(t), token, authn.CodeInvalidToken)
			}
		})
	}
}

func TestAcceptIDTokens(t *testing.T) {
	acceptIDTokens := func(b *Bearer) { b.AcceptIDTokens = true }
	for name, tc := range map[string]struct {
		header, claims map[string]any
		good           bool
	}{
		"LINE, with a nonce":       {nil, map[string]any{"nonce": "x"}, true},
		"Dex, with at_hash":        {map[string]any{"typ": nil}, map[string]any{"at_hash": "x", "c_hash": "y"}, true},
		"Keycloak, by typ":         {nil, map[string]any{"typ": "ID"}, true},
		"Cognito, by token_use":    {nil, map[string]any{"token_use": "id"}, true},
		"a refresh token":          {nil, map[string]any{"typ": "Refresh"}, false},
		"a logout token":           {map[string]any{"typ": "logout+jwt"}, nil, false},
		"a logout token by events": {nil, map[string]any{"events": map[string]any{}}, false},
		"a DPoP proof":             {map[string]any{"typ": "dpop+jwt", "jwk": map[string]any{"kty": "EC"}}, map[string]any{"htm": "GET", "htu": "https://api.example.com/"}, false},
		"for another audience":     {nil, map[string]any{"nonce": "x", "aud": "other"}, false},
	} {
		t.Run("JWT-13: "+name, func(t *testing.T) {
			token := sign(t, "ES256", tc.header, tc.claims)
			if tc.good {
				wantAccepted(t, scheme(t, acceptIDTokens), token)
			} else {
				wantRefused(t, scheme(t, acceptIDTokens), token, authn.CodeInvalidToken)
			}
		})
	}
}

func TestClientClaims(t *testing.T) {
	for name, tc := range map[string]struct {
		claims     map[string]any
		configured []string
		client     string
	}{
		"client_id comes first":      {map[string]any{"azp": "b", "client_id": "a"}, nil, "a"},
		"azp, as Keycloak writes it": {map[string]any{"azp": "b"}, nil, "b"},
		"cid, as Okta writes it":     {map[string]any{"cid": "c"}, nil, "c"},
		"appid, as ADFS writes it":   {map[string]any{"appid": "d", "client_id": 7}, nil, "d"},
		"another claim":              {map[string]any{"client_id": "a", "app": map[string]any{"name": "e"}}, []string{"app.name"}, "e"},
		"none":                       {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := wantAccepted(t, scheme(t, func(b *Bearer) { b.ClientClaims = tc.configured }), sign(t, "ES256", nil, tc.claims))
			if got.Client != tc.client || got.ID != "alice" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestProfile(t *testing.T) {
	strict := func(b *Bearer) { b.Profile = profileAccessToken }
	full := map[string]any{"client_id": "app", "jti": "1"}
	t.Run("R9068-1 R9068-3: the full profile", func(t *testing.T) {
		wantAccepted(t, scheme(t, strict), sign(t, "ES256", map[string]any{"typ": "at+jwt"}, full))
	})
	t.Run("R9068-1: another type", func(t *testing.T) {
		for _, kind := range []any{"JWT", nil, "at-jwt"} {
			wantRefused(t, scheme(t, strict), sign(t, "ES256", map[string]any{"typ": kind}, full), authn.CodeInvalidToken)
		}
	})
	for _, claim := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
		t.Run("R9068-3 R9068-5: without "+claim, func(t *testing.T) {
			claims := map[string]any{"client_id": "app", "jti": "1", claim: nil}
			wantRefused(t, scheme(t, strict), sign(t, "ES256", map[string]any{"typ": "at+jwt"}, claims), authn.CodeInvalidToken)
		})
	}
}

func TestIdentity(t *testing.T) {
	identity := func(claims map[string]any) *authn.Identity {
		return wantAccepted(t, scheme(t), sign(t, "ES256", nil, claims))
	}
	for name, tc := range map[string]struct {
		claims map[string]any
		scopes []string
		roles  []string
	}{
		"R9068-4: a string":              {map[string]any{"scope": "read  write"}, []string{"read", "write"}, nil},
		"R9068-4: a list":                {map[string]any{"scp": []string{"read", "write"}}, []string{"read", "write"}, nil},
		"R9068-4: absent":                {nil, nil, nil},
		"R9068-4: another type":          {map[string]any{"scope": 7, "scp": map[string]any{"a": 1}}, nil, nil},
		"R9068-4: a list of other types": {map[string]any{"scope": []any{1, "read", nil}}, []string{"read"}, nil},
		"R9068-4: roles in all places":   {map[string]any{"roles": []string{"a"}, "groups": "b c", "realm_access": map[string]any{"roles": []string{"d"}}}, nil, []string{"a", "b c", "d"}},
		"R9068-4: roles of another type": {map[string]any{"roles": true}, nil, nil},
		"R9068-4: roles as Zitadel's":    {map[string]any{"roles": map[string]any{"b": map[string]any{"1": "x"}, "a": map[string]any{}}}, nil, []string{"a", "b"}},
		"R9068-4: flags are no roles":    {map[string]any{"roles": map[string]any{"admin": false, "ops": true}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := identity(tc.claims)
			if !reflect.DeepEqual(got.Scopes, tc.scopes) || !reflect.DeepEqual(got.Roles, tc.roles) {
				t.Errorf("scopes %q, roles %q", got.Scopes, got.Roles)
			}
		})
	}
	t.Run("R9700-4: a client for itself is not a user", func(t *testing.T) {
		if got := identity(map[string]any{"sub": "app", "client_id": "app"}); got.ID != "" || got.Client != "app" {
			t.Errorf("%+v", got)
		}
		if got := identity(map[string]any{"client_id": "app"}); got.ID != "alice" || got.Client != "app" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a token without a subject names no user", func(t *testing.T) {
		if got := identity(map[string]any{"sub": nil, "username": "alice"}); got.ID != "" { // which only introspection has
			t.Errorf("%+v", got)
		}
	})
	t.Run("a user by another claim, of a token with no other name", func(t *testing.T) {
		token := sign(t, "ES256", nil, map[string]any{"sub": nil, "email": "a b@example.com"})
		if got := wantAccepted(t, scheme(t, func(b *Bearer) { b.UserClaim = "email" }), token); got.ID != "a b@example.com" {
			t.Errorf("%+v", got)
		}
	})
	for _, subject := range []any{7, true, []string{"alice"}, "a\nb", "a\u007f"} {
		wantRefused(t, scheme(t), sign(t, "ES256", nil, map[string]any{"sub": subject}), authn.CodeInvalidToken)
	}
}

func TestCertificateBound(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("the DER of a certificate")}
	digest := sha256.Sum256(certificate.Raw)
	bound := map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(digest[:])}}
	for name, tc := range map[string]struct {
		mode   string
		claims map[string]any
		sent   *x509.Certificate
		good   bool
	}{
		"R8705-1 R9700-5: the certificate":    {bindingOptional, bound, certificate, true},
		"R8705-1: another certificate":        {bindingOptional, bound, &x509.Certificate{Raw: []byte("another")}, false},
		"R8705-1: none":                       {bindingOptional, bound, nil, false},
		"R8705-1: switched off":               {bindingOff, bound, certificate, false},
		"R8705-2: a token that is not bound":  {bindingOptional, nil, nil, true},
		"R8705-1: the certificate, required":  {bindingRequired, bound, certificate, true},
		"R8705-2: not bound, though required": {bindingRequired, nil, certificate, false},
		"R8705-2: bound to a key as well":     {bindingOptional, map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(digest[:]), "jkt": "x"}}, certificate, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.TLS = &tls.ConnectionState{}
			if tc.sent != nil {
				r.TLS.PeerCertificates = []*x509.Certificate{tc.sent}
			}
			b := scheme(t, func(b *Bearer) { b.CertificateBound = tc.mode })
			outcome := b.Verify(context.Background(), authn.NewRequest(r), authn.Credential{Scheme: bearerScheme, Value: sign(t, "ES256", nil, tc.claims), Location: authn.AuthorizationField})
			if (outcome.Verdict == authn.Accepted) != tc.good {
				t.Errorf("verdict %d: %v", outcome.Verdict, outcome.Reason)
			}
			if !tc.good && outcome.Code != authn.CodeInvalidToken {
				t.Errorf("code %q", outcome.Code)
			}
		})
	}
}
