package openapi

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// large is a document that no connection holds between server and client.
func large(title string) string {
	return `{"openapi":"3.1.0","info":{"title":"` + title + `","version":"1"},"x":"` + strings.Repeat("x", 7<<20) + `","paths":{"/me":{"get":{}}}}`
}

// startForAnyHost has a site that serves every host.
func startForAnyHost(t *testing.T, answer http.HandlerFunc) *harness.Server {
	t.Helper()
	upstream := httptest.NewServer(answer)
	t.Cleanup(upstream.Close)
	return harness.Start(t, `{
	auth {
		bearer corp {`+harness.BearerLines+`
		}
	}
}
:8080 {
	auth_openapi
	auth_openapi /limited.json {
		max_size 1MiB
	}
	require_auth /me
	reverse_proxy `+upstream.Listener.Addr().String()+`
}`)
}

// slowly asks for a document and reads nothing but the first byte of the answer.
func slowly(t *testing.T, s *harness.Server, path string) io.Closer {
	t.Helper()
	connection, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	if _, err := connection.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return connection
}

func heap() uint64 {
	for range 3 { // what is pooled goes with the second one
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestSlowReaders has clients that ask for a large document and do not read it.
func TestSlowReaders(t *testing.T) {
	const readers = 20
	for name, document := range map[string]string{"a document": large("Things"), "one that passes unchanged": `{"swagger":"2.0","x":"` + strings.Repeat("x", 7<<20) + `"}`} {
		t.Run(name+" is held once", func(t *testing.T) {
			s := startForAnyHost(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, document)
			})
			s.Get("/openapi.json")
			before := heap()
			for range readers {
				slowly(t, s, "/openapi.json")
			}
			if grown := int64(heap()) - int64(before); grown > readers<<20 {
				t.Errorf("%d clients hold %d MiB", readers, grown>>20)
			}
		})
	}
	t.Run("of different documents some are held, and others go on as they are", func(t *testing.T) {
		var number atomic.Int64
		s := startForAnyHost(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, large(fmt.Sprint("Things ", number.Add(1))))
		})
		var slow []io.Closer
		for range 8 {
			slow = append(slow, slowly(t, s, "/openapi.json"))
		}
		if got := s.Get("/openapi.json").Body; strings.Contains(got, `"security"`) || !strings.HasSuffix(got, `"paths":{"/me":{"get":{}}}}`) {
			t.Errorf("with eight in memory: … %s", got[len(got)-200:])
		}
		for _, connection := range slow {
			_ = connection.Close()
		}
		harness.Eventually(t, "there is room again", func() bool {
			return strings.Contains(s.Get("/openapi.json").Body, `"security"`)
		})
	})
	t.Run("one that is too large takes no turn of the others", func(t *testing.T) {
		s := startForAnyHost(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/openapi.json" {
				fmt.Fprint(w, plain)
				return
			}
			w.(http.Flusher).Flush() // its length is not told
			_, _ = io.WriteString(w, large("Things"))
		})
		for range 20 {
			slowly(t, s, "/limited.json")
		}
		if d := read(t, s.Get("/openapi.json").Body); len(d.Paths["/me"]["get"].Security) == 0 {
			t.Error("not described")
		}
	})
}

// TestOtherHosts has requests for many hosts that are one to the site. A document
// that cannot be merged is logged for each attempt.
func TestOtherHosts(t *testing.T) {
	s := startForAnyHost(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"swagger":"2.0"}`)
	})
	for i := range 20 {
		s.Get("/openapi.json", harness.Host(fmt.Sprintf("h%d.example", i)))
	}
	if got := strings.Count(s.LogText(), "the OpenAPI document passes unchanged"); got != 1 {
		t.Errorf("merged %d times", got)
	}
}
