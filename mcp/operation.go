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

// validatedSince is the first revision whose servers must compare header fields and
// body. Revisions are dates, so they sort as texts.
const validatedSince = "2026-07-28"

var (
	errNoMethod = errors.New("Mcp-Method is missing")
	errNoName   = errors.New("Mcp-Name is missing")
	errEncoding = errors.New("the encoding is broken")
)

// The fields of an operation, as [http.Header] spells them.
const (
	revisionField = "Mcp-Protocol-Version"
	methodField   = "Mcp-Method"
	nameField     = "Mcp-Name"
)

// operation is what a request asks an MCP server to do.
type operation struct{ method, name string }

// read reads the operation from header fields. It is an error if the server could read
// them otherwise.
func read(h http.Header) (operation, error) {
	revision, err := readRevision(h)
	if err != nil {
		return operation{}, err
	}
	if !isDate(revision) || revision < validatedSince {
		return operation{}, &RevisionError{Requested: revision, Supported: []string{validatedSince}}
	}
	op, err := readFields(h)
	if err != nil {
		return operation{}, err
	}
	if op.method == "" {
		return operation{}, errNoMethod
	}
	if _, named := nameMembers[op.method]; named && op.name == "" {
		return operation{}, errNoName
	}
	return op, nil
}

// readRevision returns the revision of a request, or an empty text.
func readRevision(h http.Header) (string, error) {
	if err := checkArrival(h); err != nil {
		return "", err
	}
	return single(h, revisionField)
}

// readFields returns the operation in header fields, as far as they name it.
func readFields(h http.Header) (op operation, err error) {
	if op.method, err = single(h, methodField); err != nil {
		return operation{}, err
	}
	if isEncoded(op.method) {
		return operation{}, fmt.Errorf("%s: only names may be encoded", methodField)
	}
	name, err := single(h, nameField)
	if err != nil {
		return operation{}, err
	}
	if op.name, err = decode(name); err != nil {
		return operation{}, fmt.Errorf("%s: %w", nameField, err)
	}
	// A field can contain a tab as it is.
	if err := checkText(strings.ReplaceAll(op.name, "\t", " ")); err != nil {
		return operation{}, fmt.Errorf("%s: %w", nameField, err)
	}
	return op, nil
}

// checkArrival refuses header fields that may change on the way. A proxy removes the
// fields that Connection names (RFC 9110 §7.6.1), and a server without the revision
// reads the body alone. Some servers treat another spelling of a name as the same
// field.
func checkArrival(h http.Header) error {
	for _, connection := range h["Connection"] {
		for option := range strings.SplitSeq(connection, ",") {
			if field, ours := canonicalField(strings.TrimSpace(option)); ours {
				return fmt.Errorf("the field Connection would remove %s", field)
			}
		}
	}
	for name := range h {
		if field, ours := canonicalField(name); ours && name != field {
			return fmt.Errorf("%s appears in another spelling", field)
		}
	}
	return nil
}

// canonicalField returns the field that a name means, in any spelling.
func canonicalField(name string) (string, bool) {
	if len(name) < len(nameField) || !strings.EqualFold(name[:3], "mcp") {
		return "", false
	}
	for _, field := range []string{revisionField, methodField, nameField} {
		if fieldname.Equal(name, field) {
			return field, true
		}
	}
	return "", false
}

// single returns the value of a field that may appear once. It refuses an ambiguous
// value. Some servers read letters beyond ASCII as UTF-8, others as Latin-1. Space
// around a value passes in HTTP/2, and HTTP/1.1 removes it.
func single(h http.Header, field string) (string, error) {
	values := h[field]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%s appears %d times", field, len(values))
	}
	value := values[0]
	if value != strings.Trim(value, " \t") {
		return "", fmt.Errorf("%s has space around it", field)
	}
	steps.Add(len(value))
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return "", fmt.Errorf("%s has characters that a field cannot contain", field)
		}
	}
	return value, nil
}

const encodedPrefix, encodedSuffix = "=?base64?", "?="

// isEncoded reports whether a value begins like an encoded one, for texts that a field
// cannot contain. The markers are in lower case. Other cases count as well, because a
// server might accept them.
func isEncoded(value string) bool {
	return len(value) >= len(encodedPrefix) && strings.EqualFold(value[:len(encodedPrefix)], encodedPrefix)
}

// decode decodes a value that may be encoded.
func decode(value string) (string, error) {
	if !isEncoded(value) {
		return value, nil
	}
	encoded, hasPrefix := strings.CutPrefix(value, encodedPrefix)
	encoded, ended := strings.CutSuffix(encoded, encodedSuffix)
	if !hasPrefix || !ended || strings.ContainsAny(encoded, "\r\n") {
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
