package watch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

func newWatcher(t *testing.T) *fsnotify.Watcher {
	t.Helper()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	return watcher
}

// follow runs a test on a clock of its own, with notices that the test makes up.
func follow(t *testing.T, test func(t *testing.T, f *file, loaded chan string, notices chan fsnotify.Event, failures chan error)) {
	t.Helper()
	watcher := newWatcher(t)
	synctest.Test(t, func(t *testing.T) {
		f, _, _ := reloading(t)
		load, loaded := recorder() // its channel belongs to the bubble
		f.load = load
		watcher.Events, watcher.Errors = make(chan fsnotify.Event), make(chan error)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go f.follow(ctx, watcher)
		test(t, f, loaded, watcher.Events, watcher.Errors)
	})
}

func TestSettling(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan fsnotify.Event, _ chan error) {
		write(t, f.path, "bad half")
		notices <- fsnotify.Event{}
		time.Sleep(settle / 2)
		write(t, f.path, "whole")
		notices <- fsnotify.Event{}
		time.Sleep(settle / 2)
		synctest.Wait()
		if len(loaded) != 0 {
			t.Error("it was read before it was quiet")
		}
		time.Sleep(settle)
		synctest.Wait()
		if len(loaded) != 1 || <-loaded != "whole" {
			t.Errorf("%d loads", len(loaded))
		}
	})
}

func TestPolling(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, _ chan fsnotify.Event, _ chan error) {
		for _, content := range []string{"one", "two"} {
			write(t, f.path, content)
			time.Sleep(poll + time.Second)
			synctest.Wait()
			if len(loaded) != 1 || <-loaded != content {
				t.Errorf("without a notice %q was not read", content)
			}
		}
	})
}

func TestWatcherErrors(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, _ chan fsnotify.Event, failures chan error) {
		write(t, f.path, "one")
		failures <- errors.New("the queue overflowed")
		time.Sleep(settle + time.Millisecond)
		synctest.Wait()
		if len(loaded) != 1 {
			t.Error("after an error the file was not read")
		}
	})
}

// TestBusyFolder has another file in the folder that is written to all the
// time, such as a log: that must not keep a revoked user in.
func TestBusyFolder(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan fsnotify.Event, _ chan error) {
		write(t, f.path, "one")
		for end := time.Now().Add(10 * poll); time.Now().Before(end) && len(loaded) == 0; {
			notices <- fsnotify.Event{Name: f.path + ".log", Op: fsnotify.Write}
			time.Sleep(settle / 2)
		}
		if len(loaded) == 0 {
			t.Errorf("the file was not read for %s", 10*poll)
		}
	})
}

func TestUnchanged(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan fsnotify.Event, _ chan error) {
		write(t, f.path, "one")
		for range 5 {
			notices <- fsnotify.Event{}
			time.Sleep(2 * settle)
		}
		synctest.Wait()
		if len(loaded) != 1 {
			t.Errorf("%d loads", len(loaded))
		}
	})
}
