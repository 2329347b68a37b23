package authn

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// MismatchError is the cause of a refusal, with what the record of the denial shows
// beside it. What was found is the word of whoever sent the credential: build it
// with [Printable], and never of a secret or a signature.
type MismatchError struct {
	Reason string
	// Expected and Found are shown as they are; empty ones are left out.
	Expected, Found string
	// Off is by how much a time is off; zero is left out.
	Off time.Duration
}

func (m *MismatchError) Error() string { return m.Reason }

// maxShown bounds what a record shows of a value, in bytes.
const maxShown = 200

// Printable is a value out of a credential as a record may show it: bounded, without
// characters that cannot be seen. A value that may be a token itself is not shown.
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
