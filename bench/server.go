package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "github.com/excorp/caddy-require-auth" // what is measured
	"github.com/excorp/caddy-require-auth/bench/serve"
)

// server is a running process.
type server struct {
	command  *exec.Cmd
	commands io.WriteCloser
	answers  *bufio.Reader
	ports    map[string]string
}

// start runs a server with sites, by name; each has a port of its own. The program is
// this one, or another that package serve makes a server.
func start(program, folder, name, global string, sites map[string]string) (*server, error) {
	s := &server{ports: make(map[string]string)}
	var text strings.Builder
	fmt.Fprintf(&text, "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n%s}\n", global)
	for site, lines := range sites {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s.ports[site] = port
		scheme := "http"
		if strings.Contains(lines, "\ttls ") {
			scheme = "https"
		}
		fmt.Fprintf(&text, "%s://localhost:%s {\n\tbind 127.0.0.1\n%s}\n", scheme, port, lines)
	}
	file := filepath.Join(folder, name+".Caddyfile")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	s.command = exec.Command(program, serve.Command, file)
	s.command.Stderr = os.Stderr
	var err error
	if s.commands, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.answers = bufio.NewReader(output)
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	if _, err := s.answers.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the server %s did not start: %w", name, err)
	}
	return s, nil
}

func (s *server) stop() {
	s.commands.Close()
	if err := s.command.Wait(); err != nil {
		log.Print(err)
	}
}

func (s *server) address(site string) string { return "127.0.0.1:" + s.ports[site] }

// usage is what a server has used: nanoseconds of the processors, and bytes.
type usage struct{ cpu, heap, resident, anonymous int64 }

// used asks the server what it has used, for `collect` after a collection.
func (s *server) used(question string) (u usage, err error) {
	if _, err = fmt.Fprintln(s.commands, question); err != nil {
		return
	}
	_, err = fmt.Fscanln(s.answers, &u.cpu, &u.heap, &u.resident, &u.anonymous)
	return
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
