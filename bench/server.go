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
	"runtime"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the rest of Caddy

	_ "github.com/excorp/caddy-require-auth" // what is measured
)

// serveCommand makes this program a server.
const serveCommand = "serve"

// serve runs Caddy with a Caddyfile, and answers on standard output what it has
// used so far, for every line on standard input.
func serve(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
	if err != nil {
		log.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(usage(lines.Text() == "collect"))
	}
}

// usage is the processor time in nanoseconds, the live heap in bytes (after a
// collection only) and the resident memory in bytes.
func usage(collect bool) string {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	var heap runtime.MemStats
	if collect {
		runtime.GC()
		runtime.ReadMemStats(&heap)
	}
	return fmt.Sprintln(used.Utime.Nano()+used.Stime.Nano(), heap.HeapAlloc, resident())
}

// resident reads the resident memory; zero where there is no /proc.
func resident() (bytes int64) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, pages int64
	if _, err := fmt.Sscan(string(statm), &all, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// server is a running process.
type server struct {
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	ports   map[string]string
}

// start runs a server with sites, by name; each has a port of its own.
func start(folder, name, global string, sites map[string]string) (*server, error) {
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
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.command = exec.Command(program, serveCommand, file)
	s.command.Stderr = os.Stderr
	if s.ask, err = s.command.StdinPipe(); err != nil {
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
	s.ask.Close()
	if err := s.command.Wait(); err != nil {
		log.Print(err)
	}
}

func (s *server) address(site string) string { return "127.0.0.1:" + s.ports[site] }

// used asks the server what it has used.
func (s *server) used(question string) (cpu, heap, resident int64, err error) {
	if _, err = fmt.Fprintln(s.ask, question); err != nil {
		return
	}
	if _, err = fmt.Fscan(s.answers, &cpu, &heap, &resident); err != nil {
		return
	}
	_, err = s.answers.ReadString('\n')
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
