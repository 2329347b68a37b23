package authn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestParseAuthorization(t *testing.T) {
	for name, test := range map[string]struct {
		fields        []string
		scheme, value string
		err           error
	}{
		"R9110-15: no field":                                   {nil, "", "", nil},
		"R9110-15: two fields":                                 {[]string{"Bearer a", "Bearer a"}, "", "", authn.ErrRepeatedAuthorization},
		"R9110-15: two fields, both empty":                     {[]string{"", ""}, "", "", authn.ErrRepeatedAuthorization},
		"R9110-15: joined by a comma":                          {[]string{"Bearer a, Basic b"}, "", "", authn.ErrJoinedAuthorization},
		"R9110-15: joined by a comma alone":                    {[]string{"Bearer a,Basic b"}, "", "", authn.ErrJoinedAuthorization},
		"R9110-15: joined with empty members between":          {[]string{"Bearer a,, ,Basic b"}, "", "", authn.ErrJoinedAuthorization},
		"R9110-15: joined behind a quoted comma":               {[]string{`Digest a="x, \" y", Basic b`}, "", "", authn.ErrJoinedAuthorization},
		"R9110-15: the parameters of one scheme are one":       {[]string{`Digest a="x", b=y`}, "Digest", `a="x", b=y`, nil},
		"R9110-15: parameters with spaces around = are one":    {[]string{`Digest a = x, b = y`}, "Digest", `a = x, b = y`, nil},
		"R9110-15: a quoted pair of credentials is one":        {[]string{`Digest a="x, Basic b"`}, "Digest", `a="x, Basic b"`, nil},
		"R9110-6: one space":                                   {[]string{"Bearer abc"}, "Bearer", "abc", nil},
		"R9110-6: several spaces":                              {[]string{"Bearer   abc"}, "Bearer", "abc", nil},
		"R9110-6: spaces around the field":                     {[]string{" \tBearer abc \t"}, "Bearer", "abc", nil},
		"R9110-6: a tab stays in the value":                    {[]string{"Bearer\tabc"}, "Bearer", "\tabc", nil},
		"R9110-6: a tab behind the space stays in the value":   {[]string{"Bearer \tabc"}, "Bearer", "\tabc", nil},
		"R9110-6: what follows the value stays in it":          {[]string{"Bearer abc def"}, "Bearer", "abc def", nil},
		"R6750-14: a scheme without a value":                   {[]string{"Bearer"}, "Bearer", "", nil},
		"R6750-14: a scheme and a space":                       {[]string{"Bearer "}, "Bearer", "", nil},
		"R6750-6: a value without a scheme is taken for one":   {[]string{"abc.def"}, "abc.def", "", nil},
		"R6750-6: an empty field is no credential of a scheme": {[]string{""}, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := authn.ParseAuthorization(test.fields)
			if !errors.Is(err, test.err) || got.Scheme != test.scheme || got.Value != test.value {
				t.Errorf("got %q %q, %v", got.Scheme, got.Value, err)
			}
		})
	}
	t.Run("R9110-5: schemes are compared without case, and as a whole", func(t *testing.T) {
		for scheme, want := range map[string]bool{"bearer": true, "BEARER": true, "bEaReR": true, "BearerX": false, "Beare": false, "": false, "Bearer:": false} {
			if got := (authn.Authorization{Scheme: scheme}).Is("Bearer"); got != want {
				t.Errorf("%q: %t", scheme, got)
			}
		}
	})
}

func TestIsToken68(t *testing.T) {
	t.Run("R6750-1: every character of token68 is one", func(t *testing.T) {
		for _, s := range []string{"a", "AZaz09-._~+/", "abc=", "abc=="} {
			if !authn.IsToken68(s) {
				t.Errorf("%q is refused", s)
			}
		}
	})
	t.Run("R6750-14: nothing else is", func(t *testing.T) {
		for _, s := range []string{"", "=", "==", "a=b", "a b", "a,b", "a\tb", `"a"`, "é", "a\x00", "a:b", "a%20b"} {
			if authn.IsToken68(s) {
				t.Errorf("%q is accepted", s)
			}
		}
	})
}

// FuzzParseAuthorization looks for values on which the parser breaks, and for
// tokens that are not what stood in the field.
func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer abc", "bEaReR   abc==", "Bearer\tabc", "Basic YTpi", "Bearer a, Basic b",
		`Digest a="x, \" y", Basic b`, `Digest a="`, "Bearer a,,b c", ",", ", Bearer a", "Bearer a,Bearer", "\x00", "Bearer \xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		parsed, err := authn.ParseAuthorization([]string{field})
		if err != nil {
			if !strings.Contains(field, ",") || parsed != (authn.Authorization{}) {
				t.Fatalf("%q: %v with %+v", field, err, parsed)
			}
			return
		}
		if strings.ContainsAny(parsed.Scheme, " \t") {
			t.Fatalf("%q: the scheme is %q", field, parsed.Scheme)
		}
		if strings.HasPrefix(parsed.Value, " ") || strings.HasSuffix(parsed.Value, " ") {
			t.Fatalf("%q: the value is %q", field, parsed.Value)
		}
		if !parsed.Is("Bearer") || !authn.IsToken68(parsed.Value) {
			return
		}
		// One scheme, spaces, one token, and nothing else stood there.
		rest, scheme := strings.CutPrefix(strings.Trim(field, " \t"), parsed.Scheme)
		spaces, token := strings.CutSuffix(rest, parsed.Value)
		if !scheme || !token || spaces == "" || strings.Trim(spaces, " ") != "" {
			t.Fatalf("%q came apart as %q and %q", field, parsed.Scheme, parsed.Value)
		}
		again, err := authn.ParseAuthorization([]string{parsed.Scheme + " " + parsed.Value})
		if err != nil || again != parsed {
			t.Fatalf("%q: %+v put together again is %+v, %v", field, parsed, again, err)
		}
	})
}

func TestMeansAudience(t *testing.T) {
	for name, test := range map[string]struct {
		named, gate string
		asURL, want bool
	}{
		"MCP-12: the same":                     {"https://h/mcp", "https://h/mcp", false, true},
		"MCP-12: in capitals":                  {"HTTPS://H.example/mcp", "https://h.example/mcp", true, true},
		"MCP-12: the gate in capitals":         {"https://h.example/mcp", "https://H.example/mcp", true, true},
		"MCP-12: in capitals at another gate":  {"HTTPS://H.example/mcp", "https://h.example/mcp", false, false},
		"MCP-12: a path in capitals":           {"https://h/MCP", "https://h/mcp", true, false},
		"MCP-12: a query in capitals":          {"https://h?A", "https://h?a", true, false},
		"MCP-12: a slash at the end":           {"https://h/mcp/", "https://h/mcp", true, false},
		"MCP-12: a fragment":                   {"https://h/mcp#a", "https://h/mcp", true, false},
		"MCP-12: another host":                 {"https://h.example.evil.example/mcp", "https://h.example/mcp", true, false},
		"MCP-12: what is no URL, in capitals":  {"API", "api", true, false},
		"MCP-6: a gate without an audience":    {"", "", true, false},
		"MCP-6: a gate that is not a resource": {"https://h/mcp", "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var r authn.Request
			r.SetGate(authn.Gate{Audience: test.gate, AudienceAsURL: test.asURL})
			if got := r.MeansAudience(test.named); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
