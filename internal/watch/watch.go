// Package watch keeps the content of files up to date.
package watch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/textfile"
)

const (
	// settle is how long a file must be unchanged before it is read: editors and copies
	// write in several steps.
	settle = 50 * time.Millisecond

	// latest bounds the delay of a file that changes all the time.
	latest = time.Second

	// poll is how often a file is checked without a notice. Network file systems send
	// no notices.
	poll = 30 * time.Second
)

// File reads the file at path and passes its content to load, and again when it
// changes, until ctx ends. It returns the error of the first load. Later, a file that
// cannot be read or loaded is logged, and the previous content stays in use.
//
// File watches the folder and not the file, so it follows a replaced file, or a
// replaced link to it.
func File(ctx context.Context, path string, logger *zap.Logger, load func([]byte) error) error {
	return Observed(ctx, path, logger, load, func(error) {})
}

// Observed is [File] that also calls observe after each reading, with whether the
// content of the file is loaded.
func Observed(ctx context.Context, path string, logger *zap.Logger, load func([]byte) error, observe func(error)) error {
	// It watches before it reads, so that no change is lost in between.
	watching, err := shared.subscribe(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("watching the folder of %s: %w", path, err)
	}
	content, err := open(path, load)
	if err != nil {
		watching.end()
		return err
	}
	observe(nil)
	f := &file{path: path, load: load, observe: observe, logger: logger.With(zap.String("file", path)), digest: sha256.Sum256(content)}
	go func() {
		defer watching.end()
		f.follow(ctx, watching.notices)
	}()
	return nil
}

func open(path string, load func([]byte) error) ([]byte, error) {
	content, err := textfile.Read(path)
	if err != nil {
		return nil, err
	}
	if err := load(content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

type file struct {
	path    string
	load    func([]byte) error
	observe func(error)
	logger  *zap.Logger
	digest  [sha256.Size]byte
	failed  string // the last logged failure, so that each is logged once
}

// follow loads the file again after notices, and after errors of the watcher.
func (f *file) follow(ctx context.Context, notices <-chan error) {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	due := time.Now().Add(poll)
	soon := func() {
		// Never later than it was due: constant writes to a folder must not delay a
		// change forever.
		if due = minTime(due, time.Now().Add(latest)); time.Until(due) > settle {
			timer.Reset(settle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-notices:
			if err != nil {
				f.logger.Warn("watching failed, looking again", zap.Error(err))
			}
			soon()
		case <-timer.C:
			f.reload()
			timer.Reset(poll)
			due = time.Now().Add(poll)
		}
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (f *file) reload() {
	content, err := textfile.Read(f.path)
	if err != nil {
		f.complain(err)
		return
	}
	digest := sha256.Sum256(content)
	if digest == f.digest {
		f.failed = ""
		f.observe(nil)
		return
	}
	if err := f.load(content); err != nil {
		f.complain(err)
		return
	}
	f.digest, f.failed = digest, ""
	f.observe(nil)
	f.logger.Info("file changed and was loaded")
}

func (f *file) complain(err error) {
	f.observe(err)
	if err.Error() == f.failed {
		return
	}
	f.failed = err.Error()
	f.logger.Error("file changed but cannot be used; what was loaded before stays in force", zap.Error(err))
}
