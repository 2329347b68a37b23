// Package mismatch is the cause of a denial, with the values that did not match.
package mismatch

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// ValueError is the cause of a denial, with the values that the log shows beside it. The
// client chose the found value: build it with [Printable], and never of a secret or
// a signature.
type ValueError struct {
	Reason string
	// Expected and Found are shown as they are. Empty ones are left out.
	Expected, Found string
	// Off is the deviation of a time. Zero is left out.
	Off time.Duration
}

func (m *ValueError) Error() string { return m.Reason }

// maxShown bounds a value in the log, in bytes.
const maxShown = 200

// Printable returns a value of a credential for the log: bounded, and without
// invisible characters. It does not show a value that may be a token.
func Printable(value any) string {
	if value == nil {
		return "none"
	}
	text, ok := value.(string)
	if !ok {
		encoded, err := json.Marshal(value)
		if err != nil {
			return "a value that is not JSON"
		}
		text = string(encoded)
	}
	switch {
	case text == "":
		return "an empty text"
	case strings.Contains(text, "eyJ"): // how a JSON object begins in base64
		return "a value that may be a token"
	}
	cut := text[:min(len(text), maxShown)]
	cut = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(cut, ""))
	if len(text) > maxShown {
		cut += "…"
	}
	return cut
}
