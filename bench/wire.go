package main

import (
	"bytes"
	"crypto/tls"
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

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wireRequests is how many requests each field is measured with.
const wireRequests = 3000

// protocol sends a request many times and returns how many bytes each takes on
// the wire, apart from the first.
type protocol struct {
	name string
	site string
	send func(address string, r *http.Request, times int) (bytes int, err error)
}

var protocols = []protocol{
	{"HTTP/1.1", "plain", sendHTTP1},
	{"HTTP/2", "secure", sendHTTP2},
	{"HTTP/3", "secure", sendHTTP3},
}

// wireFields are those of a request that cost most, and none to compare with.
func wireFields() []field {
	all := []field{{name: "nothing", unit: "a", method: http.MethodGet}}
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
	s, err := start(folder, "wire", global, map[string]string{"plain": lines + ok, "secure": certificate + lines + ok})
	if err != nil {
		return err
	}
	defer s.stop()
	for _, p := range protocols {
		base := 0.0
		for _, f := range wireFields() {
			cost, sent, err := p.cost(s, f, times)
			if err != nil {
				return fmt.Errorf("%s over %s: %w", f.name, p.name, err)
			}
			if f.name == "nothing" {
				base = cost
			}
			fmt.Fprintf(out, "%s: %s of %q\tµs a request; more than without; µs more a byte sent\t\t%.0f; %.0f; %.2f\t%d bytes\t\n",
				p.name, f.name, f.unit, cost, cost-base, (cost-base)/float64(max(sent, 1)), sent)
		}
	}
	return nil
}

// cost is the processor time of a request in µs, and how many bytes it takes.
func (p protocol) cost(s *server, f field, times int) (cost float64, sent int, err error) {
	r := httptest.NewRequest(f.method, "/", nil)
	f.put(r, 3700) // fits into the table of HTTP/2
	if f.name == "nothing" {
		r.Header = http.Header{}
	}
	if _, err := p.send(s.address(p.site), r, times/10+1); err != nil {
		return 0, 0, err
	}
	before, _, _, err := s.used("cpu")
	if err != nil {
		return 0, 0, err
	}
	if sent, err = p.send(s.address(p.site), r, times); err != nil {
		return 0, 0, err
	}
	after, _, _, err := s.used("cpu")
	return float64(after-before) / float64(times) / 1e3, sent, err
}

func sendHTTP1(address string, r *http.Request, times int) (int, error) {
	lines := []string{}
	for name, values := range r.Header {
		lines = append(lines, name+": "+values[0])
	}
	text := bytes.Replace(request(lines...), []byte("GET / "), []byte("GET "+r.URL.RequestURI()+" "), 1)
	requests := make([][]byte, times)
	for i := range requests {
		requests[i] = text
	}
	_, _, err := load{requests: requests, status: http.StatusNotFound}.against(address)
	return len(text), err
}

// sendHTTP2 has the fields of the first request in the table of the connection.
func sendHTTP2(address string, r *http.Request, times int) (int, error) {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, ServerName: "localhost"})
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, http2.ClientPreface); err != nil {
		return 0, err
	}
	c := &client2{Framer: http2.NewFramer(connection, connection), request: r}
	c.encoder = hpack.NewEncoder(&c.block)
	if err := c.WriteSettings(); err != nil {
		return 0, err
	}
	for range min(20, times) {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	for c.answered < times {
		ended, err := c.read()
		if err != nil {
			return 0, err
		}
		if ended && c.sent < times {
			if err := c.send(); err != nil {
				return 0, err
			}
		}
	}
	return c.size, nil
}

// client2 is a client of HTTP/2 that sends one request again and again.
type client2 struct {
	*http2.Framer
	request              *http.Request
	block                bytes.Buffer
	encoder              *hpack.Encoder
	size, sent, answered int
}

func (c *client2) send() error {
	c.block.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: c.request.Method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "localhost"}, {Name: ":path", Value: c.request.URL.RequestURI()},
	}
	for name, values := range c.request.Header {
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: values[0]})
	}
	for _, f := range fields {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	c.size = c.block.Len() + 9
	c.sent++
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*c.sent - 1), BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: true})
}

// read reads a frame, and reports whether an answer ends with it.
func (c *client2) read() (ended bool, err error) {
	frame, err := c.ReadFrame()
	if err != nil {
		return false, err
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return false, c.WriteSettingsAck()
		}
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("the server goes away: %v", frame.ErrCode)
	case *http2.HeadersFrame, *http2.DataFrame:
		if frame.Header().Flags.Has(http2.FlagDataEndStream) {
			c.answered++
			return true, nil
		}
	}
	return false, nil
}

func sendHTTP3(address string, r *http.Request, times int) (int, error) {
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}}
	defer transport.Close()
	size := len(r.URL.RequestURI())
	for name, values := range r.Header {
		size += len(name) + len(values[0])
	}
	for range times {
		asked, err := http.NewRequest(r.Method, "https://"+address+r.URL.RequestURI(), nil)
		if err != nil {
			return 0, err
		}
		asked.Header, asked.Host = r.Header, "localhost"
		response, err := transport.RoundTrip(asked)
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	return size, nil
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
