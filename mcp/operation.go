package mcp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// validatedSince is the first revision whose servers have to compare header
// fields and body. Revisions are dates, so they sort as texts.
const validatedSince = "2026-07-28"

var (
	errRevision = errors.New("MCP-Protocol-Version names no revision whose header fields can be relied on")
	errNoMethod = errors.New("Mcp-Method is missing")
	errNoName   = errors.New("Mcp-Name is missing")
)

// operation is what a request asks an MCP server to do.
type operation struct{ method, name string }

// read takes the operation from header fields.
func read(h http.Header) (operation, error) {
	revision, err := single(h, "Mcp-Protocol-Version")
	if err != nil {
		return operation{}, err
	}
	if !isDate(revision) || revision < validatedSince {
		return operation{}, errRevision
	}
	var asked operation
	if asked.method, err = single(h, "Mcp-Method"); err != nil {
		return operation{}, err
	}
	if asked.method == "" {
		return operation{}, errNoMethod
	}
	if asked.name, err = single(h, "Mcp-Name"); err != nil {
		return operation{}, err
	}
	if asked.name == "" && slices.Contains(named, asked.method) {
		return operation{}, errNoName
	}
	return asked, nil
}

// single returns the value of a field that may stand once, decoded.
func single(h http.Header, field string) (string, error) {
	switch values := h[field]; len(values) {
	case 0:
		return "", nil
	case 1:
		value, err := decode(values[0])
		if err != nil {
			return "", fmt.Errorf("%s: %w", field, err)
		}
		return value, nil
	default:
		return "", fmt.Errorf("%s stands there %d times", field, len(values))
	}
}

const encodedPrefix, encodedSuffix = "=?base64?", "?="

// decode reads a value that may be wrapped because a field could not hold it
// as it is.
func decode(value string) (string, error) {
	encoded, wrapped := strings.CutPrefix(value, encodedPrefix)
	if !wrapped {
		return value, nil
	}
	encoded, whole := strings.CutSuffix(encoded, encodedSuffix)
	if !whole || strings.ContainsAny(encoded, "\r\n") {
		return "", errors.New("the encoding is broken")
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(decoded) == 0 || !utf8.Valid(decoded) {
		return "", errors.New("the encoding is broken")
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
