package mcp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// validatedSince is the first revision whose servers have to compare header
// fields and body. Revisions are dates, so they sort as texts.
const validatedSince = "2026-07-28"

var (
	errNoMethod = errors.New("Mcp-Method is missing")
	errNoName   = errors.New("Mcp-Name is missing")
	errEncoding = errors.New("the encoding is broken")
)

// The fields by which an operation is known, as [http.Header] spells them.
const (
	revisionField = "Mcp-Protocol-Version"
	methodField   = "Mcp-Method"
	nameField     = "Mcp-Name"
)

// operation is what a request asks an MCP server to do.
type operation struct{ method, name string }

// read takes the operation from header fields, if the server behind the gate
// reads the same in them.
func read(h http.Header) (operation, error) {
	revision, err := readRevision(h)
	if err != nil {
		return operation{}, err
	}
	if !isDate(revision) || revision < validatedSince {
		return operation{}, &RevisionError{Requested: revision, Supported: []string{validatedSince}}
	}
	asked, err := readFields(h)
	if err != nil {
		return operation{}, err
	}
	if asked.method == "" {
		return operation{}, errNoMethod
	}
	if _, named := nameMembers[asked.method]; named && asked.name == "" {
		return operation{}, errNoName
	}
	return asked, nil
}

// readRevision returns the revision of a request, empty if it is missing.
func readRevision(h http.Header) (string, error) {
	if err := checkArrival(h); err != nil {
		return "", err
	}
	return single(h, revisionField)
}

// readFields returns the operation that header fields name, as far as they do.
func readFields(h http.Header) (asked operation, err error) {
	if asked.method, err = single(h, methodField); err != nil {
		return operation{}, err
	}
	if isEncoded(asked.method) {
		return operation{}, fmt.Errorf("%s: only names may be encoded", methodField)
	}
	name, err := single(h, nameField)
	if err != nil {
		return operation{}, err
	}
	if asked.name, err = decode(name); err != nil {
		return operation{}, fmt.Errorf("%s: %w", nameField, err)
	}
	// A field can carry a tab as it is.
	if err := checkText(strings.ReplaceAll(asked.name, "\t", " ")); err != nil {
		return operation{}, fmt.Errorf("%s: %w", nameField, err)
	}
	return asked, nil
}

// checkArrival refuses what would change the fields on their way: Connection
// makes a proxy drop the ones that it names (RFC 9110 §7.6.1), and a server
// without the revision goes by the body alone; some take another spelling of a
// name for the same field.
func checkArrival(h http.Header) error {
	for _, connection := range h["Connection"] {
		for option := range strings.SplitSeq(connection, ",") {
			if field, ours := spelled(strings.TrimSpace(option)); ours {
				return fmt.Errorf("the field Connection would take %s away", field)
			}
		}
	}
	for name := range h {
		if field, ours := spelled(name); ours && name != field {
			return fmt.Errorf("%s stands there in another spelling", field)
		}
	}
	return nil
}

// spelled returns which of the fields a name means, in any spelling.
func spelled(name string) (string, bool) {
	if len(name) < len(nameField) || !strings.EqualFold(name[:3], "mcp") {
		return "", false
	}
	folded := fieldname.Fold(name)
	for _, field := range []string{revisionField, methodField, nameField} {
		if strings.EqualFold(folded, field) {
			return field, true
		}
	}
	return "", false
}

// single returns the value of a field that may stand once. A value that a
// server could read in another way is refused: letters beyond ASCII, which some
// take for UTF-8 and some for Latin-1, and space around it, which HTTP/2
// carries and HTTP/1.1 takes off.
func single(h http.Header, field string) (string, error) {
	values := h[field]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%s stands there %d times", field, len(values))
	}
	value := values[0]
	if value != strings.Trim(value, " \t") {
		return "", fmt.Errorf("%s has space around it", field)
	}
	steps.Add(len(value))
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return "", fmt.Errorf("%s has characters that it cannot carry as they are", field)
		}
	}
	return value, nil
}

const encodedPrefix, encodedSuffix = "=?base64?", "?="

// isEncoded reports whether a value begins as one that is wrapped because a
// field could not hold it as it is. The markers are in lower case; others are
// looked for too, because a server might not mind.
func isEncoded(value string) bool {
	return len(value) >= len(encodedPrefix) && strings.EqualFold(value[:len(encodedPrefix)], encodedPrefix)
}

// decode reads a value that may be wrapped.
func decode(value string) (string, error) {
	if !isEncoded(value) {
		return value, nil
	}
	encoded, begun := strings.CutPrefix(value, encodedPrefix)
	encoded, ended := strings.CutSuffix(encoded, encodedSuffix)
	if !begun || !ended || strings.ContainsAny(encoded, "\r\n") {
		return "", errEncoding
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(decoded) == 0 || !utf8.Valid(decoded) {
		return "", errEncoding
	}
	return string(decoded), nil
}

// isDate reports whether a text has the form 2026-07-28.
func isDate(text string) bool {
	if len(text) != len(validatedSince) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (i == 4 || i == 7) != (c == '-') || c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
