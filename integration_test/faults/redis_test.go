package faults

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// answering listens like a Redis and answers everything in one way.
func answering(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				answer(connection)
			}()
		}
	}()
	return listener.Addr().String()
}

// always answers each command with the same line.
func always(line string) func(net.Conn) {
	return func(connection net.Conn) {
		commands := bufio.NewReader(connection)
		for {
			header, err := commands.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(header, "*") {
				if _, err := io.WriteString(connection, line+"\r\n"); err != nil {
					return
				}
			}
		}
	}
}

// TestRedis has a server instead of Redis that never answers correctly. The revoked
// callers are unknown then, so valid credentials of every scheme get 503. Bad ones get
// 401, and anonymous callers are served.
func TestRedis(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"closes at once":           func(net.Conn) {},
		"hangs":                    func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"speaks HTTP":              func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"speaks rubbish":           func(c net.Conn) { _, _ = c.Write([]byte{0, 1, 2, 0xff, '\r', '\n'}) },
		"announces a giant":        always("$1099511627776"),
		"announces a giant list":   always("*2147483647"),
		"announces less than none": always("$-5"),
		"answers numbers":          always(":1"),
		"answers nothing":          always("$-1"),
		"answers OK to all":        always("+OK"),
		"is loading":               always("-LOADING Redis is loading the dataset in memory"),
		"is out of memory":         always("-OOM command not allowed when used memory > 'maxmemory'."),
		"is a copy":                always("-READONLY You can't write against a read only replica."),
		"wants a password":         always("-NOAUTH Authentication required."),
		"forbids":                  always("-NOPERM this user has no permissions"),
		"has moved":                always("-MOVED 1 127.0.0.1:1"),
		"is busy":                  always("-BUSY Redis is busy running a script."),
		"is an endless line":       func(c net.Conn) { _, _ = io.Copy(c, endlessly{}) },
	} {
		t.Run("AVAIL-1: it "+name, func(t *testing.T) {
			address := answering(t, answer)
			s := harness.Start(t, "{\nauto_https off\nauth {\nstore redis redis://"+address+"/0\nbearer corp {"+harness.BearerLines+"}\nbearer proven {"+harness.BearerLines+"dpop required\n}\n"+
				"api_key partners {\nkey a "+digestOf("key-of-a-partner")+"\n}\n}\n}\n"+
				"http://localhost:8080 {\nrequire_auth /proven proven\nrequire_auth /key partners\nrequire_auth /open corp {\noptional\n}\nrequire_auth / corp\nrespond ok\n}")
			began := time.Now()
			for range 3 {
				away(t, s.Get("/", harness.Bearer(harness.Token(t))))
				s.Get("/", harness.Bearer("forged")).Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
				s.Get("/open").Want(200, "")
				away(t, s.Get("/key", harness.Header("X-API-Key", "key-of-a-partner")))
				if got := s.Get("/key", harness.Header("X-API-Key", "guess")).Status; got != 401 && got != 429 {
					t.Errorf("a wrong key gets %d", got)
				}
			}
			if elapsed := time.Since(began); elapsed > 20*time.Second {
				t.Errorf("fifteen requests took %s", elapsed)
			}
			if log := s.LogText(); strings.Contains(log, "panic") {
				t.Errorf("something panicked: %s", log)
			}
		})
	}
}

// endlessly is a line without an end. It comes in pieces, because a client keeps all of
// it until its timeout.
type endlessly struct{}

func (endlessly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	for i := range p {
		p[i] = '+'
	}
	return len(p), nil
}
