package bearer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestLeeway has the exact borders of other leeways than the default.
func TestLeeway(t *testing.T) {
	for _, tc := range []struct {
		skew                     time.Duration
		lastExp, lastNbf, latest int // seconds from now that are still good
	}{
		{0, 1, 10, 60}, {time.Second, 0, 10, 60}, {10 * time.Second, -9, 10, 60},
		{30 * time.Second, -29, 30, 60}, {90 * time.Second, -89, 90, 90},
	} {
		skew := caddy.Duration(tc.skew)
		b := scheme(t, func(b *Bearer) { b.ClockSkew = &skew })
		token := func(claim string, seconds int) string {
			return sign(t, "EdDSA", nil, map[string]any{claim: testNow.Unix() + int64(seconds)})
		}
		t.Run(fmt.Sprintf("JWT-10 JWT-11: exp with a leeway of %s", tc.skew), func(t *testing.T) {
			wantAccepted(t, b, token("exp", tc.lastExp))
			wantRefused(t, b, token("exp", tc.lastExp-1), authn.CodeExpiredToken)
		})
		t.Run(fmt.Sprintf("JWT-11: nbf with a leeway of %s", tc.skew), func(t *testing.T) {
			wantAccepted(t, b, token("nbf", tc.lastNbf))
			wantRefused(t, b, token("nbf", tc.lastNbf+1), authn.CodeInvalidToken)
		})
		t.Run(fmt.Sprintf("JWT-11: iat with a leeway of %s", tc.skew), func(t *testing.T) {
			wantAccepted(t, b, token("iat", tc.latest))
			wantRefused(t, b, token("iat", tc.latest+1), authn.CodeInvalidToken)
		})
	}
	t.Run("JWT-10: a second is not rounded", func(t *testing.T) {
		b := scheme(t)
		b.now = func() time.Time { return testNow.Add(500 * time.Millisecond) }
		wantAccepted(t, b, sign(t, "EdDSA", nil, map[string]any{"exp": float64(testNow.Unix()) - 29.25}))
		wantRefused(t, b, sign(t, "EdDSA", nil, map[string]any{"exp": float64(testNow.Unix()) - 29.75}), authn.CodeExpiredToken)
	})
}

// TestDates has what is no NumericDate, in each of the three claims.
func TestDates(t *testing.T) {
	for _, claim := range []string{"exp", "nbf", "iat"} {
		for _, value := range []string{
			`null`, `"1100000000"`, `""`, `true`, `[1100000000]`, `{}`, `-1`, `-1.5`, `1e400`, `-1e400`, `1e15`, `253402300800`,
			`9223372036854775807`, `9223372036854775808`, `NaN`, `Infinity`, `0x71`, `1100000000.`, `+1100000000`, `01100000000`,
		} {
			t.Run("JWT-10 JWT-11: "+claim+" is "+value, func(t *testing.T) {
				members := []string{`"iss":"` + testIssuer + `"`, `"aud":"` + testAudience + `"`, `"` + claim + `":` + value}
				if claim != "exp" {
					members = append(members, `"exp":1000000060`)
				}
				wantRefused(t, scheme(t), signRaw(t, "EdDSA", `{"alg":"EdDSA"}`, "{"+strings.Join(members, ",")+"}"), authn.CodeInvalidToken)
			})
		}
	}
	t.Run("JWT-10: any spelling of a number is one", func(t *testing.T) {
		for _, value := range []string{"1000000060", "1000000060.0", "1.00000006e9", "100000006E+1", "253402300799"} {
			wantAccepted(t, scheme(t), signRaw(t, "EdDSA", `{"alg":"EdDSA"}`, `{"iss":"`+testIssuer+`","aud":"`+testAudience+`","exp":`+value+`}`))
		}
	})
}

// FuzzSignedClaims signs any claims. Verification never panics, and an accepted caller
// has what a gate needs.
func FuzzSignedClaims(f *testing.F) {
	for _, claims := range []map[string]any{nil, {"cnf": map[string]any{"jkt": "x"}}, {"scope": []any{1}, "roles": map[string]any{}}, {"exp": 1e300}} {
		seed, err := json.Marshal(goodClaims(claims))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(seed))
	}
	f.Add(`{}`)
	b := scheme(f)
	f.Fuzz(func(t *testing.T, claims string) {
		outcome := verify(b, signRaw(t, "EdDSA", `{"alg":"EdDSA"}`, claims))
		if (outcome.Verdict == authn.Accepted) != (outcome.Identity != nil) || (outcome.Verdict == authn.Accepted) != (outcome.Code == "") {
			t.Fatalf("%+v", outcome)
		}
		if outcome.Verdict != authn.Accepted {
			return
		}
		var read struct {
			Iss string
			Exp float64
			Aud any
			Cnf any
		}
		if err := json.Unmarshal([]byte(claims), &read); err != nil {
			t.Fatalf("%q was accepted, encoding/json says %v", claims, err)
		}
		if read.Iss != testIssuer || read.Cnf != nil || read.Exp+30 <= float64(testNow.Unix()) || !strings.Contains(fmt.Sprint(read.Aud), testAudience) {
			t.Fatalf("%q was accepted", claims)
		}
	})
}
