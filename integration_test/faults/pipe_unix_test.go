//go:build unix

package faults

import (
	"os"
	"syscall"
	"testing"
)

// A named pipe without a writer never ends.
func init() {
	damages["is a named pipe now"] = func(t *testing.T, path, _ string) { mustSucceed(t, syscall.Mkfifo(path, 0o600)) }
	damages["is a link to a named pipe"] = func(t *testing.T, path, _ string) {
		mustSucceed(t, os.RemoveAll(path+".pipe"))
		mustSucceed(t, syscall.Mkfifo(path+".pipe", 0o600))
		mustSucceed(t, os.Symlink(path+".pipe", path))
	}
}
