package compact

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var (
	secret = []byte("a secret of more than thirty-two bytes")
	reader = Reader{Header: []string{"alg"}, Claims: []string{"sub"}}
)

func signed(tb testing.TB, claims string) string {
	tb.Helper()
	text, err := jws.Sign([]byte(claims), jws.WithKey(jwa.HS256, secret))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestParseAndVerify(t *testing.T) {
	parsed, err := reader.Parse(signed(t, `{"sub":"alice"}`))
	if err != nil || parsed.Claims["sub"] != "alice" || parsed.Header["alg"] != "HS256" {
		t.Fatalf("%+v, %v", parsed, err)
	}
	if err := parsed.Verify("HS256", secret); err != nil {
		t.Error(err)
	}
	for _, algorithm := range []string{"HS384", "none", "", "RS256"} {
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

func TestParseRefuses(t *testing.T) {
	good := signed(t, `{"sub":"alice"}`)
	encode := base64.RawURLEncoding.EncodeToString
	for name, text := range map[string]string{
		"two parts":        strings.Join(strings.Split(good, ".")[:2], "."),
		"four parts":       good + ".AA",
		"an empty part":    strings.Replace(good, ".", "..", 1),
		"padding":          good + "=",
		"a line break":     good + "\n",
		"crit":             encode([]byte(`{"alg":"HS256","crit":[]}`)) + ".e30.AA",
		"b64":              encode([]byte(`{"alg":"HS256","b64":true}`)) + ".e30.AA",
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

// FuzzParse: what is accepted has one spelling only.
func FuzzParse(f *testing.F) {
	f.Add(signed(f, `{"sub":"alice","n":[1,{"a":null}]}`))
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
