package watch

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func heard(t *testing.T, s *subscription) error {
	t.Helper()
	select {
	case notice := <-s.notices:
		return notice
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was heard")
		return nil
	}
}

func TestHub(t *testing.T) {
	var h hub
	one, other := t.TempDir(), t.TempDir()
	subscribe := func(folder string) *subscription {
		s, err := h.subscribe(folder)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b, c := subscribe(one), subscribe(one+"/"), subscribe(other)
	write(t, filepath.Join(one, "file"), "x")
	if err := errors.Join(heard(t, a), heard(t, b)); err != nil {
		t.Error(err)
	}
	if len(c.notices) != 0 {
		t.Error("another folder was told")
	}
	broken := errors.New("broken")
	for len(b.notices) > 0 {
		<-b.notices
	}
	h.notifyAll(broken)
	if !errors.Is(heard(t, c), broken) {
		t.Error("a failure was not told to all")
	}
	a.end()
	for len(b.notices) > 0 {
		<-b.notices
	}
	write(t, filepath.Join(one, "file"), "y")
	heard(t, b)
	watcher := h.watcher
	b.end()
	c.end()
	if err := watcher.Add(one); err == nil || h.watcher != nil {
		t.Error("the watcher was left open")
	}
	if _, err := h.subscribe(filepath.Join(one, "missing")); err == nil || h.watcher != nil {
		t.Error("a folder that is not there is watched")
	}
	again := subscribe(one)
	write(t, filepath.Join(one, "file"), "z")
	heard(t, again)
	again.end()
}

// TestManyFiles has more files than the system gives watchers.
func TestManyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	for range 500 {
		f, loaded, _ := reloading(t)
		if err := File(t.Context(), path, f.logger, f.load); err != nil {
			t.Fatal(err)
		}
		next(t, loaded)
	}
}
