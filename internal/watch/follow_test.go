package watch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// follow runs a test on a clock of its own, with notices that the test makes up.
func follow(t *testing.T, test func(t *testing.T, f *file, loaded chan string, notices chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, _, _ := reloading(t)
		load, loaded := recorder() // its channel belongs to the bubble
		f.load = load
		notices := make(chan error)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go f.follow(ctx, notices)
		test(t, f, loaded, notices)
	})
}

func TestSettling(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan error) {
		write(t, f.path, "bad half")
		notices <- nil
		time.Sleep(settle / 2)
		write(t, f.path, "whole")
		notices <- nil
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
	follow(t, func(t *testing.T, f *file, loaded chan string, _ chan error) {
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
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan error) {
		write(t, f.path, "one")
		notices <- errors.New("the queue overflowed")
		time.Sleep(settle + time.Millisecond)
		synctest.Wait()
		if len(loaded) != 1 {
			t.Error("after an error the file was not read")
		}
	})
}

// TestBusyFolder has another file in the folder that is written all the time, such as a
// log. It must not delay the removal of a user.
func TestBusyFolder(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan error) {
		write(t, f.path, "one")
		for end := time.Now().Add(10 * poll); time.Now().Before(end) && len(loaded) == 0; {
			notices <- nil
			time.Sleep(settle / 2)
		}
		if len(loaded) == 0 {
			t.Errorf("the file was not read for %s", 10*poll)
		}
	})
}

func TestUnchanged(t *testing.T) {
	follow(t, func(t *testing.T, f *file, loaded chan string, notices chan error) {
		write(t, f.path, "one")
		for range 5 {
			notices <- nil
			time.Sleep(2 * settle)
		}
		synctest.Wait()
		if len(loaded) != 1 {
			t.Errorf("%d loads", len(loaded))
		}
	})
}
