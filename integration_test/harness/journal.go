package harness

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(writer{})
}

// Journal holds a log in memory.
type Journal struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

// Write adds to the log.
func (j *Journal) Write(line []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.text.Write(line)
}

// String returns the log so far.
func (j *Journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.text.String()
}

// current is the journal of the running server.
var current atomic.Pointer[Journal]

// writer is the log output `journal`.
type writer struct{}

func (writer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.journal", New: func() caddy.Module { return new(writer) }}
}

func (writer) String() string    { return "journal" }
func (writer) WriterKey() string { return "journal" }

func (writer) OpenWriter() (io.WriteCloser, error) { return appender{}, nil }

// appender writes to whichever journal is current: Caddy keeps writers open
// from one configuration to the next.
type appender struct{}

func (appender) Write(line []byte) (int, error) { return current.Load().Write(line) }
func (appender) Close() error                   { return nil }
