//go:build redis

package redis

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// server is a redis-server that keeps its data from one start to the next.
type server struct {
	t         *testing.T
	port      string
	arguments []string
	process   *exec.Cmd
	output    *bytes.Buffer
}

// startRedis runs a server until the test ends. Arguments are added to those
// that make it durable.
func startRedis(t *testing.T, arguments ...string) *server {
	t.Helper()
	port := freePort(t)
	s := &server{t: t, port: port, arguments: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}, arguments...)}
	t.Cleanup(s.stop)
	s.start()
	return s
}

// startSentinel runs a sentinel, which writes to its configuration.
func startSentinel(t *testing.T, configuration string) *server {
	t.Helper()
	port := freePort(t)
	s := &server{t: t, port: port, arguments: []string{configuration, "--sentinel", "--port", port, "--bind", "127.0.0.1"}}
	t.Cleanup(s.stop)
	s.start()
	return s
}

func (s *server) address() string { return "127.0.0.1:" + s.port }

// start runs it and waits until it answers, if only to ask for a password.
func (s *server) start() {
	s.t.Helper()
	s.output = new(bytes.Buffer)
	s.process = exec.Command("redis-server", s.arguments...)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := s.client()
	defer client.Close()
	harness.Eventually(s.t, "redis-server answers", func() bool {
		err := client.Ping(s.t.Context()).Err()
		return err == nil || redis.HasErrorPrefix(err, "NOAUTH")
	})
}

func (s *server) client() *redis.Client { return redis.NewClient(&redis.Options{Addr: s.address()}) }

// stop ends it, frozen or not.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	s.signal(syscall.SIGCONT)
	s.signal(syscall.SIGTERM)
	_ = s.process.Wait()
	s.process = nil
	if s.t.Failed() {
		s.t.Logf("redis-server on port %s:\n%s", s.port, s.output)
	}
}

func (s *server) freeze() { s.signal(syscall.SIGSTOP) }
func (s *server) thaw()   { s.signal(syscall.SIGCONT) }

func (s *server) signal(which syscall.Signal) {
	if err := s.process.Process.Signal(which); err != nil {
		s.t.Errorf("signal %s: %v", which, err)
	}
}
