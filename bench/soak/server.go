package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	_ "github.com/excorp/caddy-require-auth" // what has to last
	"github.com/excorp/caddy-require-auth/bench/serve"
)

// server is Caddy in a process of its own.
type server struct {
	command     *exec.Cmd
	input       io.Closer
	admin, site string // host and port
	caddyfile   func(realm string) string
	reloads     int
	failures    int
}

func startServer(folder, provider string) (*server, error) {
	s := new(server)
	var err error
	if s.admin, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.site, err = freeAddress(); err != nil {
		return nil, err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		return nil, err
	}
	users := filepath.Join(folder, "users")
	if err := os.WriteFile(users, []byte("alice:"+string(hash)+"\n"), 0o600); err != nil {
		return nil, err
	}
	s.caddyfile = func(realm string) string {
		return fmt.Sprintf(template, s.admin, realm, provider, provider, users, keyDigest(), "http://"+s.site)
	}
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(s.caddyfile("soak")), 0o600); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.command = exec.Command(program, serve.Command, file)
	s.command.Stderr = os.Stderr
	if s.input, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	return s, s.wait()
}

// template has a scheme of each kind. The clients say where they come from.
const template = `{
	admin %s
	auto_https off
	persist_config off
	log {
		level FATAL
	}
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	auth {
		realm %s
		bearer corp {
			issuer https://idp.example.com
			audience https://api.example.com
			jwks %s/keys
			introspection %s/introspect {
				client_id gateway
				client_secret soak
				cache 5s
			}
			dpop optional
			token_cache 4MiB
		}
		basic ops {
			users_file %s
		}
		api_key partners {
			from header X-API-Key
			key partner sha256:%s
		}
	}
}
%s {
	bind 127.0.0.1
	auth_cors https://web.example
	require_auth /admin* corp {
		scope admin
	}
	require_auth /basic* ops
	require_auth /key* partners
	require_auth corp ops partners {
		forward X-User {http.auth.user.id}
	}
	respond ok
}
`

// freeAddress is on loopback.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// wait returns once the server answers.
func (s *server) wait() error {
	for range 200 {
		if response, err := http.Get("http://" + s.site + "/"); err == nil {
			return response.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the server does not answer")
}

func (s *server) stop() {
	_ = s.input.Close() // which ends it
	if err := s.command.Wait(); err != nil {
		log.Print(err)
	}
}

// reload gives the server another configuration, and one that it has to refuse
// when all of it was made already.
func (s *server) reload() error {
	s.reloads++
	if status, err := s.load(s.caddyfile(fmt.Sprint("soak", s.reloads%2))); err != nil || status != http.StatusOK {
		return fmt.Errorf("reloading: %d, %w", status, err)
	}
	late := s.caddyfile("late") + "\nhttp://localhost:0 {\n\ttls /nowhere/certificate /nowhere/key\n}\n"
	if status, err := s.load(late); err != nil || status == http.StatusOK {
		return fmt.Errorf("a configuration that fails was answered %d, %w", status, err)
	}
	s.failures++
	return nil
}

// admin asks the admin API. It starts again with each configuration, so its connections
// are not kept.
var admin = &http.Client{Transport: &again{transport: &http.Transport{DisableKeepAlives: true}}}

func (s *server) load(caddyfile string) (int, error) {
	response, err := admin.Post("http://"+s.admin+"/load", "text/caddyfile", strings.NewReader(caddyfile))
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// figures are what the server holds, after a collection.
type figures struct {
	resident, heap    int64
	goroutines, files int
}

func (s *server) figures() (figures, error) {
	var f figures
	if _, err := s.read("/debug/pprof/heap?gc=1"); err != nil {
		return f, err
	}
	metrics, err := s.read("/metrics")
	if err != nil {
		return f, err
	}
	for line := range bytes.Lines(metrics) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		var number float64
		if _, err := fmt.Sscan(value, &number); err != nil {
			continue
		}
		switch name {
		case "go_goroutines":
			f.goroutines = int(number)
		case "go_memstats_heap_alloc_bytes":
			f.heap = int64(number)
		case "process_resident_memory_bytes":
			f.resident = int64(number)
		case "process_open_fds":
			f.files = int(number)
		}
	}
	if f.goroutines == 0 {
		return f, errors.New("the server has no metrics")
	}
	return f, nil
}

func (s *server) read(path string) ([]byte, error) {
	response, err := admin.Get("http://" + s.admin + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// more reports what has grown. Connections come and go, and a collection leaves
// this and that, so a little more is none.
func (f figures) more(first figures) error {
	var grown []error
	for name, pair := range map[string][2]int64{
		"goroutines": {int64(first.goroutines) + 20, int64(f.goroutines)},
		"files":      {int64(first.files) + 20, int64(f.files)},
		"live heap":  {2*first.heap + 32<<20, f.heap},
	} {
		if pair[1] > pair[0] {
			grown = append(grown, fmt.Errorf("%s: %d at the end, at most %d were expected", name, pair[1], pair[0]))
		}
	}
	return errors.Join(grown...)
}
