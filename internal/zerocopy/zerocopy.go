// Package zerocopy converts between text and bytes without a copy. The bytes must not
// be changed afterwards.
package zerocopy

import "unsafe"

// Bytes returns the bytes of a text, only for reading.
func Bytes(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // G103: the caller only reads
}

// String returns bytes as a text. Nothing may change them any more.
func String(bytes []byte) string {
	return unsafe.String(unsafe.SliceData(bytes), len(bytes)) //nolint:gosec // G103: the caller no longer writes
}
