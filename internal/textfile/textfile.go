// Package textfile reads the text files of an operator.
package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxSize bounds a file, in bytes.
const MaxSize = 16 << 20

var (
	byteOrderMark = []byte("\ufeff")

	// otherMarks are those of UTF-16 and UTF-32, in both orders. The one of
	// little-endian UTF-32 begins with that of UTF-16.
	otherMarks = [][]byte{{0xff, 0xfe}, {0xfe, 0xff}, {0, 0, 0xfe, 0xff}}
)

// Read returns the text of a regular file, see [Decode]. Another file could block its
// reader forever, such as a named pipe.
func Read(path string) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	var content bytes.Buffer
	if _, err := content.ReadFrom(io.LimitReader(file, MaxSize+1)); err != nil {
		return nil, err
	}
	if content.Len() > MaxSize {
		return nil, fmt.Errorf("%s: over %d bytes", path, MaxSize)
	}
	return decode(path, content.Bytes())
}

// ReadArgument is Read for a file in the arguments of a command. It may be a pipe, such
// as the shell's <(…).
func ReadArgument(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decode(path, content)
}

func decode(path string, content []byte) ([]byte, error) {
	text, err := Decode(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// Decode returns a text without the byte order mark of Windows editors. It refuses
// UTF-16 and UTF-32, which they also write.
func Decode(content []byte) ([]byte, error) {
	for _, position := range otherMarks {
		if bytes.HasPrefix(content, position) {
			return nil, errors.New("line 1: UTF-16 or UTF-32: save the file as UTF-8")
		}
	}
	return bytes.TrimPrefix(content, byteOrderMark), nil
}
