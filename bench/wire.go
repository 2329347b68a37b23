package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wireRequests is how many requests each field is measured with.
const wireRequests = 3000

// protocol is a version of HTTP, and the site that is asked in it.
type protocol struct {
	name string
	site string
	open func(address string) (client, error)
}

var protocols = []protocol{{"HTTP/1.1", "plain", open1}, {"HTTP/2", "secure", open2}, {"HTTP/3", "secure", open3}}

// nothing is the name of no field, to compare with.
const nothing = "nothing"

// wireFields are those of a request that cost most, and none to compare with.
func wireFields() []field {
	all := []field{{name: nothing, unit: "a", method: http.MethodGet}}
	for _, f := range fields() {
		if slices.Contains([]string{"Authorization ,", "claims of a token {\"\":0},", "claims of a token [],", "query a&", "Cookie a;", "token in the query a&", "well-known path é/"}, f.name+" "+f.unit) {
			all = append(all, f)
		}
	}
	return all
}

// measureWire prints what fields cost the process of a server, and for how many
// bytes of a client.
func measureWire(out io.Writer, times int, folder string, keys *signers) error {
	certificate, err := selfSigned(folder)
	if err != nil {
		return err
	}
	global, err := configuration(keys)
	if err != nil {
		return err
	}
	const lines = "\trequire_auth corp ops partners {\n\t\thide all\n\t\tstrip_credentials\n\t}\n"
	s, err := start("", folder, "wire", global, map[string]string{"plain": lines + ok, "secure": certificate + lines + ok})
	if err != nil {
		return err
	}
	defer s.stop()
	head := []any{"a field of 3,700 bytes, filled with"}
	for _, p := range protocols {
		head = append(head, p.name+": more, each byte sent")
	}
	tableHead(out, head...)
	base := make(map[string]float64)
	for _, f := range wireFields() {
		line := []any{fmt.Sprintf("`%s`, `%s`", f.name, f.unit)}
		for _, p := range protocols {
			cost, size, err := p.cost(s, f, times)
			if err != nil {
				return fmt.Errorf("%s over %s: %w", f.name, p.name, err)
			}
			if f.name == nothing {
				base[p.name] = cost
				continue
			}
			more := cost - base[p.name]
			line = append(line, fmt.Sprintf("%.0f µs, %.2f µs of %d", more, more/float64(size), size))
		}
		if len(line) > 1 {
			tableLine(out, line...)
		}
	}
	return nil
}

// cost is the processor time of a request in µs, and its bytes on the wire. The first
// request of a connection does not count.
func (p protocol) cost(s *server, f field, times int) (cost float64, size int, err error) {
	r := httptest.NewRequest(f.method, "/", nil)
	f.put(r, 3700) // fits into the table of HTTP/2
	if f.name == nothing {
		r.Header = http.Header{}
	}
	lines := []string{}
	for name, values := range r.Header {
		lines = append(lines, name+": "+values[0])
		size += len(name) + len(values[0])
	}
	text := requestFor("GET "+r.URL.RequestURI()+" HTTP/1.1", "", lines...)
	size += len(r.URL.RequestURI())
	pool, err := dial(p.open, s.address(p.site))
	if err != nil {
		return 0, 0, err
	}
	defer pool.close()
	if _, _, err = pool.send(load{requests: slices.Repeat([][]byte{text}, max(connections, times/10)), status: http.StatusNotFound}); err != nil {
		return 0, 0, err
	}
	before, err := s.used("cpu")
	if err != nil {
		return 0, 0, err
	}
	if _, _, err = pool.send(load{requests: slices.Repeat([][]byte{text}, times), status: http.StatusNotFound}); err != nil {
		return 0, 0, err
	}
	after, err := s.used("cpu")
	if c, is2 := pool.all[0].(*client2); is2 {
		size = c.size
	}
	return float64(after.cpu-before.cpu) / float64(times) / 1e3, size, err
}

// selfSigned writes a certificate and returns the line that names it.
func selfSigned(folder string) (string, error) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", err
	}
	line := []string{"\ttls"}
	for _, part := range []struct {
		file, kind string
		bytes      []byte
	}{{"cert.pem", "CERTIFICATE", pair.Certificate[0]}, {"key.pem", "PRIVATE KEY", key}} {
		path := filepath.Join(folder, part.file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: part.kind, Bytes: part.bytes}), 0o600); err != nil {
			return "", err
		}
		line = append(line, path)
	}
	return strings.Join(line, " ") + "\n", nil
}
