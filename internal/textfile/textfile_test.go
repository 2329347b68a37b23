package textfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct{ content, want, fail string }{
		"UTF-8":                        {content: "alice", want: "alice"},
		"UTF-8 behind a mark":          {content: "\ufeffalice", want: "alice"},
		"a mark and nothing else":      {content: "\ufeff", want: ""},
		"nothing":                      {content: "", want: ""},
		"a mark that is not the first": {content: "\ufeff\ufeffa\ufeff", want: "\ufeffa\ufeff"},
		"half a mark":                  {content: "\xef\xbb", want: "\xef\xbb"},
		"UTF-16 of Windows":            {content: "\xff\xfea\x00", fail: "line 1: UTF-16"},
		"UTF-16 in the other order":    {content: "\xfe\xff\x00a", fail: "line 1: UTF-16"},
		"UTF-32":                       {content: "\xff\xfe\x00\x00a\x00\x00\x00", fail: "line 1: UTF-16"},
		"UTF-32 in the other order":    {content: "\x00\x00\xfe\xff\x00\x00\x00a", fail: "line 1: UTF-16"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, read := range []func(string) ([]byte, error){
				func(string) ([]byte, error) { return Decode([]byte(test.content)) }, Read, ReadArgument,
			} {
				text, err := read(path)
				switch {
				case test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)):
					t.Errorf("error %v, want %q", err, test.fail)
				case test.fail == "" && (err != nil || string(text) != test.want):
					t.Errorf("%q and %v, want %q", text, err, test.want)
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	folder := t.TempDir()
	for name, path := range map[string]string{"a folder": folder, "a device": os.DevNull} {
		t.Run(name+" is refused at once", func(t *testing.T) {
			if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("error %v", err)
			}
		})
	}
	for _, test := range []struct {
		size int64
		good bool
	}{{MaxSize, true}, {MaxSize + 1, false}} {
		t.Run("the size is bounded", func(t *testing.T) {
			path := filepath.Join(folder, "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, test.size); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path); (err == nil) != test.good {
				t.Errorf("%d bytes: %v", test.size, err)
			}
		})
	}
}
