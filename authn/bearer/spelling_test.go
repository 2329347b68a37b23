package bearer

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestSpelling has signed tokens that another reader could understand as
// something else.
func TestSpelling(t *testing.T) {
	const header = `{"alg":"ES256"}`
	claims := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","exp":1000000060}`, testIssuer, testAudience)
	with := func(member string) string { return strings.Replace(claims, "{", "{"+member+",", 1) }
	for name, tc := range map[string]struct{ header, claims string }{
		"a name repeated by an escape":             {header, with(`"s\u0075b":"bob"`)},
		"a name repeated at the end":               {header, strings.TrimSuffix(claims, "}") + `,"aud":"other"}`},
		"a name repeated inside":                   {header, with(`"realm_access":{"roles":["a"],"roles":["b"]}`)},
		"a header name repeated by an escape":      {`{"alg":"ES256","\u0061lg":"ES256"}`, claims},
		"aud in capitals":                          {header, with(`"AUD":"other"`)},
		"Exp":                                      {header, with(`"Exp":9`)},
		"scope in other letter case":               {header, with(`"Scope":"admin"`)},
		"cnf in other letter case":                 {header, with(`"CNF":{}`)},
		"kid in other letter case":                 {`{"alg":"ES256","KID":"x"}`, claims},
		"crit in other letter case":                {`{"alg":"ES256","Crit":["exp"]}`, claims},
		"a letter that folds to s":                 {header, with(`"\u017fub":"bob"`)},
		"the issuer with a letter that folds to s": {header, with(`"i\u017fs":"https://other.example"`)},
		"the key id with a letter that folds to k": {`{"alg":"ES256","\u212aid":"x"}`, claims},
		"the scopes with a letter that folds to s": {header, with(`"\u017fcope":"admin"`)},
		"a line break in front of the header":      {"\n" + header + "x", claims},
		"text after the header":                    {header + `{"alg":"none"}`, claims},
		"text after the claims":                    {header, claims + "{}"},
		"a byte order mark":                        {"\ufeff" + header, claims},
		"claims that are a list":                   {header, "[" + claims + "]"},
		"claims that are null":                     {header, "null"},
		"no claims":                                {header, "{}"},
		"no UTF-8":                                 {header, with("\"x\":\"\xff\"")},
		"half a surrogate":                         {header, with(`"x":"\ud800"`)},
		"a comment":                                {header, with(`/* */"x":1`)},
		"deeply nested":                            {header, with(`"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000))},
		"alg is a list":                            {`{"alg":["ES256"]}`, claims},
		"alg is null":                              {`{"alg":null}`, claims},
		"no alg":                                   {`{}`, claims},
	} {
		t.Run("JWT-7: "+name, func(t *testing.T) {
			wantRefused(t, scheme(t), signRaw(t, "ES256", tc.header, tc.claims), authn.CodeInvalidToken)
		})
	}
	for _, crit := range []string{`[]`, `["exp"]`, `["b64"]`, `["x"]`, `"exp"`, `null`, `{}`, `true`, `0`} {
		t.Run("JWT-7: crit is "+crit, func(t *testing.T) {
			wantRefused(t, scheme(t), signRaw(t, "ES256", `{"alg":"ES256","x":1,"crit":`+crit+`}`, claims), authn.CodeInvalidToken)
		})
	}
	for _, b64 := range []string{`false`, `true`, `null`, `0`, `"false"`} {
		t.Run("JWT-7: b64 is "+b64, func(t *testing.T) {
			wantRefused(t, scheme(t), signRaw(t, "ES256", `{"alg":"ES256","b64":`+b64+`}`, claims), authn.CodeInvalidToken)
		})
	}
	t.Run("JWT-7: what is written once passes", func(t *testing.T) {
		wantAccepted(t, scheme(t), signRaw(t, "ES256", header, claims))
		wantAccepted(t, scheme(t), signRaw(t, "ES256", " {\n\t\"alg\" : \"ES256\" }\r\n", with(`"Name":"Alice","name":"alice","a":{"sub":"x","Sub":"y"}`)))
	})
}

// TestOneSpelling changes a good token letter by letter: it has no other
// spelling that is good as well.
func TestOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run("JWT-1: "+algorithm+", the last letters of each part", func(t *testing.T) {
			token := sign(t, algorithm, nil, nil)
			b := scheme(t)
			wantAccepted(t, b, token)
			for _, end := range []int{strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.'), len(token)} {
				for _, letter := range alphabet + "=+/ \n.\x00" {
					other := token[:end-1] + string(letter) + token[end:]
					if other != token {
						wantRefused(t, b, other, authn.CodeInvalidToken)
					}
				}
			}
			for _, extra := range []string{"=", "==", "\n", "\r\n", " ", ".", "\t", "A", "\x00", "%0A"} {
				wantRefused(t, b, token+extra, authn.CodeInvalidToken)
				wantRefused(t, b, extra+token, authn.CodeInvalidToken)
			}
		})
	}
}

// TestBigTokens has the border of what is decoded at all.
func TestBigTokens(t *testing.T) {
	fill := func(size int) string {
		for padding := size * 3 / 4; ; padding-- {
			if token := sign(t, "EdDSA", nil, map[string]any{"x": strings.Repeat("x", padding)}); len(token) <= size {
				return token
			}
		}
	}
	t.Run("JWT-1: up to 16 KiB a token is read", func(t *testing.T) { wantAccepted(t, scheme(t), fill(authn.MaxCredential)) })
	t.Run("JWT-1: over 16 KiB it is not", func(t *testing.T) {
		token := fill(authn.MaxCredential + 2)
		if len(token) <= authn.MaxCredential {
			t.Fatalf("the token has %d bytes", len(token))
		}
		wantRefused(t, scheme(t), token, authn.CodeInvalidRequest)
	})
}

// TestHalves has ECDSA signatures whose halves are no numbers of the curve.
func TestHalves(t *testing.T) {
	order, _ := base64.RawURLEncoding.DecodeString("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE")
	token := sign(t, "ES256", nil, nil)
	input, text, _ := cutLast(token)
	good, _ := base64.RawURLEncoding.DecodeString(text)
	zero := make([]byte, 32)
	for name, signature := range map[string][]byte{
		"r is zero":             append(zero[:32:32], good[32:]...),
		"s is zero":             append(good[:32:32], zero...),
		"r is the order":        append(order[:32:32], good[32:]...),
		"s is the order":        append(good[:32:32], order...),
		"both are the order":    append(order[:32:32], order...),
		"the halves swapped":    append(good[32:64:64], good[:32]...),
		"one byte in the front": append([]byte{0}, good...),
		"leading zeros in both": append(append([]byte{0}, good[:32]...), append([]byte{0}, good[32:]...)...),
		"as long as of P-384":   append(append(make([]byte, 16), good[:32]...), append(make([]byte, 16), good[32:]...)...),
	} {
		t.Run("JWT-4: "+name, func(t *testing.T) {
			wantRefused(t, scheme(t), input+"."+base64.RawURLEncoding.EncodeToString(signature), authn.CodeInvalidToken)
		})
	}
}
