package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// recorder is a load function that records its input.
func recorder() (load func([]byte) error, loaded chan string) {
	loaded = make(chan string, 100)
	return func(content []byte) error {
		if strings.HasPrefix(string(content), "bad") {
			return errors.New(string(content))
		}
		loaded <- string(content)
		return nil
	}, loaded
}

// next waits for the next content that is loaded.
func next(t *testing.T, loaded chan string) string {
	t.Helper()
	select {
	case content := <-loaded:
		return content
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was loaded")
		return ""
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFirstLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	t.Run("a file that is not there is an error", func(t *testing.T) {
		load, loaded := recorder()
		if err := File(t.Context(), path, zap.NewNop(), load); !errors.Is(err, os.ErrNotExist) || len(loaded) != 0 {
			t.Errorf("error %v", err)
		}
	})
	t.Run("content that is refused is an error that names the file", func(t *testing.T) {
		write(t, path, "bad thing")
		load, _ := recorder()
		if err := File(t.Context(), path, zap.NewNop(), load); err == nil || err.Error() != path+": bad thing" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("content that is good is loaded before File returns", func(t *testing.T) {
		write(t, path, "good")
		load, loaded := recorder()
		if err := File(t.Context(), path, zap.NewNop(), load); err != nil || len(loaded) != 1 {
			t.Errorf("error %v, %d loads", err, len(loaded))
		}
	})
	t.Run("a folder is an error", func(t *testing.T) {
		load, _ := recorder()
		if err := File(t.Context(), t.TempDir(), zap.NewNop(), load); err == nil {
			t.Error("it was accepted")
		}
	})
	for _, test := range []struct {
		size int64
		good bool
	}{{textfile.MaxSize, true}, {textfile.MaxSize + 1, false}} {
		t.Run("the size is bounded", func(t *testing.T) {
			write(t, path, "")
			if err := os.Truncate(path, test.size); err != nil {
				t.Fatal(err)
			}
			if err := File(t.Context(), path, zap.NewNop(), func([]byte) error { return nil }); (err == nil) != test.good {
				t.Errorf("%d bytes: %v", test.size, err)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	write(t, path, "one")
	load, loaded := recorder()
	if err := File(t.Context(), path, zap.NewNop(), load); err != nil {
		t.Fatal(err)
	}
	next(t, loaded)
	expect := func(t *testing.T, want string) {
		t.Helper()
		if got := next(t, loaded); got != want {
			t.Errorf("loaded %q, want %q", got, want)
		}
	}
	t.Run("a change in place is loaded", func(t *testing.T) {
		write(t, path, "two")
		expect(t, "two")
	})
	t.Run("a replaced file is loaded", func(t *testing.T) {
		write(t, path+".new", "three")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		expect(t, "three")
	})
	t.Run("a file that comes back is loaded", func(t *testing.T) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, path, "four")
		expect(t, "four")
	})
	t.Run("a link in its place is followed, and so is one that takes its place", func(t *testing.T) {
		for _, content := range []string{"five", "six"} {
			target := filepath.Join(t.TempDir(), "elsewhere")
			write(t, target, content)
			if err := os.Symlink(target, path+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			expect(t, content)
		}
	})
}

// reloading is a file that is read when the test says so.
func reloading(t *testing.T) (f *file, loaded chan string, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	load, loaded := recorder()
	return &file{path: filepath.Join(t.TempDir(), "file"), load: load, observe: func(error) {}, logger: zap.New(core)}, loaded, logs
}

func TestComplaints(t *testing.T) {
	f, loaded, logs := reloading(t)
	step := func(name, content string, loads, complaints int) {
		t.Helper()
		if content == "" {
			if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		} else {
			write(t, f.path, content)
		}
		logs.TakeAll()
		for range 3 {
			f.reload()
		}
		if got := len(loaded); got != loads {
			t.Errorf("%s: %d loads, want %d", name, got, loads)
		}
		for range len(loaded) {
			<-loaded
		}
		if got := logs.FilterLevelExact(zap.ErrorLevel).Len(); got != complaints {
			t.Errorf("%s: %d complaints, want %d", name, got, complaints)
		}
	}
	step("a new version is loaded once", "one", 1, 0)
	step("the same version is not loaded again", "one", 0, 0)
	step("a bad version is complained of once", "bad", 0, 1)
	step("another bad version is complained of too", "bad again", 0, 1)
	step("a file that is gone is complained of once", "", 0, 1)
	step("the version in force needs no load", "one", 0, 0)
	step("a bad version after it is complained of", "bad again", 0, 1)
	step("the version in force ends a complaint", "one", 0, 0)
	step("the same bad version is complained of again", "bad again", 0, 1)
	step("the next good version is loaded", "two", 1, 0)
	step("an older version is loaded as well", "one", 1, 0)
}

func TestEnd(t *testing.T) {
	t.Run("with the context ends the watching", func(t *testing.T) {
		f, loaded, _ := reloading(t)
		write(t, f.path, "one")
		ctx, cancel := context.WithCancel(t.Context())
		if err := File(ctx, f.path, f.logger, f.load); err != nil {
			t.Fatal(err)
		}
		next(t, loaded)
		cancel()
		followed := make(chan struct{})
		go func() {
			f.follow(ctx, nil)
			close(followed)
		}()
		select {
		case <-followed:
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on")
		}
	})
}
