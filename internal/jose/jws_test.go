package jose

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var (
	secret = []byte("a secret of more than thirty-two bytes")
	reader = Reader{Header: []string{"alg"}, Claims: []string{"azp", "sub"}}
)

func sign(tb testing.TB, claims string) string {
	tb.Helper()
	text, err := jws.Sign([]byte(claims), jws.WithKey(jwa.HS256, secret))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestParseAndVerify(t *testing.T) {
	parsed, err := reader.Parse(sign(t, `{"sub":"alice"}`))
	if err != nil || parsed.Claims["sub"] != "alice" || parsed.Header["alg"] != "HS256" {
		t.Fatalf("%+v, %v", parsed, err)
	}
	if err := parsed.Verify("HS256", secret); err != nil {
		t.Error(err)
	}
	for _, algorithm := range []string{"HS384", "none", "", "RS256", "PS256"} {
		if parsed.Verify(algorithm, secret) == nil {
			t.Errorf("%q verified", algorithm)
		}
	}
	if parsed.Verify("HS256", []byte("another secret")) == nil {
		t.Error("another secret verified")
	}
	if Supported("none") || !Supported("Ed25519") || len(Algorithms()) != 14 {
		t.Errorf("algorithms %q", Algorithms())
	}
}

// TestEarly shows that the caller gets the other claims after the signature is checked,
// and that they are checked as strictly before. Space makes claims large, which are
// read in another way.
func TestEarly(t *testing.T) {
	early := &Reader{Early: []string{"iss"}, Claims: []string{"iss", "sub"}}
	for _, space := range []string{"", strings.Repeat(" ", smallClaims)} {
		parsed, err := early.Parse(sign(t, `{"iss":"a","sub":"alice","x":[{"y":1}]}`+space))
		if err != nil || parsed.Claims != nil || parsed.Early("iss") != "a" || parsed.Early("sub") != nil {
			t.Fatalf("%+v, %v", parsed, err)
		}
		if parsed.Verify("HS256", secret) != nil || parsed.DecodeClaims() != nil || len(parsed.Claims) != 3 || parsed.Claims["sub"] != "alice" {
			t.Errorf("%+v", parsed.Claims)
		}
		for _, claims := range []string{`{"x":1,"x":2}`, `{"x":[{"y":1,"y":2}]}`, `{"Sub":"alice"}`, `{"x":1e999}`, `[]`, `{} {}`} {
			if _, err := early.Parse(sign(t, claims+space)); err == nil {
				t.Errorf("%s was read", claims)
			}
		}
	}
	if text := sign(t, `{"x":1,"iss":"a"}`); Issuer(text) != "a" || Issuer(sign(t, `{"iss":1}`)) != "" || Issuer("a.b.c") != "" {
		t.Error("another issuer")
	}
}

func TestParseRefuses(t *testing.T) {
	good := sign(t, `{"sub":"alice"}`)
	encode := base64.RawURLEncoding.EncodeToString
	for name, text := range map[string]string{
		"two parts":        strings.Join(strings.Split(good, ".")[:2], "."),
		"four parts":       good + ".AA",
		"an empty part":    strings.Replace(good, ".", "..", 1),
		"padding":          good + "=",
		"a line break":     good + "\n",
		"crit":             encode([]byte(`{"alg":"HS256","crit":[]}`)) + ".e30.AA",
		"b64":              encode([]byte(`{"alg":"HS256","b64":true}`)) + ".e30.AA",
		"a padded header":  encode([]byte(`{"alg":"HS256"}`)) + "=.e30.AA",
		"padded claims":    strings.Split(good, ".")[0] + ".e30=.AA",
		"a repeated name":  encode([]byte(`{"alg":"HS256","alg":"x"}`)) + ".e30.AA",
		"other case":       encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(`{"Sub":"a"}`)) + ".AA",
		"claims no object": encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(`[]`)) + ".AA",
	} {
		if _, err := reader.Parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: %v repeats the text", name, err)
		}
	}
}

func TestSpelling(t *testing.T) {
	for name, fits := range map[string]bool{
		"sub": true, "Sub": false, "SUB": false, "Azp": false, "aZp": false, "\u017fub": false, // a letter that folds to s
		"userName": true, "Übung": true, // of no meaning here
	} {
		if err := CheckSpelling(map[string]any{name: "alice"}, reader.Claims); (err == nil) != fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHeadersAreBounded: of good texts only, and no more than there is room for.
func TestHeadersAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		same bool
		want int
	}{"texts of one key": {true, maxHeaders}, "texts with a key each": {false, 0}} {
		r := Reader{SameHeaders: tc.same}
		for i := range maxHeaders + 10 {
			signed := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"kid":"%d"}`, i)) + ".e30"
			if verifies(t, &r, signed, []byte("another secret")) || countRemembered(&r) > min(i, tc.want) {
				t.Fatalf("%s: an unsigned part counts", name)
			}
			if !verifies(t, &r, signed, secret) {
				t.Fatalf("%s: what was signed does not count", name)
			}
		}
		if got := countRemembered(&r); got != tc.want {
			t.Errorf("%s: %d headers are remembered, want %d", name, got, tc.want)
		}
	}
}

func verifies(t *testing.T, r *Reader, signed string, with []byte) bool {
	t.Helper()
	code := hmac.New(sha256.New, with)
	_, _ = code.Write([]byte(signed))
	parsed, err := r.Parse(signed + "." + base64.RawURLEncoding.EncodeToString(code.Sum(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Verify("HS256", secret) == nil
}

func countRemembered(r *Reader) (count int) {
	r.headers.Range(func(any, any) bool { count++; return true })
	return count
}

// FuzzParse: what is accepted has one spelling only.
func FuzzParse(f *testing.F) {
	f.Add(sign(f, `{"sub":"alice","n":[1,{"a":null}]}`))
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := reader.Parse(text)
		if err != nil {
			return
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 || parsed.signed != parts[0]+"."+parts[1] || base64.RawURLEncoding.EncodeToString(parsed.signature) != parts[2] {
			t.Fatalf("%q was read as %+v", text, parsed)
		}
		for _, part := range parts[:2] {
			data, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(data) != part {
				t.Fatalf("%q has another spelling", part)
			}
		}
	})
}
