package mismatch

import (
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"nothing":             {nil, "none"},
		"an empty string":     {"", "an empty text"},
		"a string":            {"https://idp.example.com/a?b&c", "https://idp.example.com/a?b&c"},
		"a list":              {[]any{"a", int64(1)}, `["a",1]`},
		"an object":           {map[string]any{"a": true}, `{"a":true}`},
		"letters of a script": {"발급자", "발급자"},
		"control characters":  {"a\r\nb\x00\u202ec\u2028", "a..b..c."},
		"text of some length": {strings.Repeat("é", 150), strings.Repeat("é", 100) + "…"},
		"a token":             {"eyJhbGciOiJFUzI1NiJ9.e30.AA", "a value that may be a token"},
		"a token in a list":   {[]any{"a", "eyJhbGciOiJFUzI1NiJ9.e30.AA"}, "a value that may be a token"},
		"no JSON":             {func() {}, "a value that is not JSON"},
	} {
		if got := Printable(test.value); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
