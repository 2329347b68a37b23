package harness

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Dial opens a connection to the site that is written :8080, for tests that
// write their own bytes. It is closed with the test.
func (s *Server) Dial() net.Conn {
	s.t.Helper()
	connection, err := net.Dial("tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return connection
}

// Send writes the bytes of a request of HTTP/1.1 that no client would send, and returns
// the answer, the first one if several come. If the server closes without one, also at
// a second try, the status is 0. It closes connections that reach a configuration that
// ends.
func (s *Server) Send(request string) *Response {
	s.t.Helper()
	for range 3 {
		if response := s.sendOnce(request); response != nil {
			return response
		}
	}
	return &Response{t: s.t}
}

func (s *Server) sendOnce(request string) *Response {
	s.t.Helper()
	connection := s.Dial()
	if _, err := io.WriteString(connection, request); err != nil {
		return nil
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &Response{t: s.t, Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// SendHTTP2 sends a request as frames of HTTP/2 without TLS, which the site must
// support. It sends fields in pairs, also pseudo fields, then a body, then trailers. If
// the server resets the stream, the status is 0.
func (s *Server) SendHTTP2(fields []string, body string, trailers ...string) *Response {
	s.t.Helper()
	connection := s.Dial()
	framer := http2.NewFramer(connection, connection)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	encode := func(fields []string) []byte {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
				s.t.Fatal(err)
			}
		}
		return []byte(block.String())
	}
	writes := []func() error{
		func() error { _, err := io.WriteString(connection, http2.ClientPreface); return err },
		func() error { return framer.WriteSettings() },
		func() error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(fields), EndHeaders: true})
		},
		func() error { return framer.WriteData(1, len(trailers) == 0, []byte(body)) },
	}
	if len(trailers) > 0 {
		writes = append(writes, func() error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(trailers), EndHeaders: true, EndStream: true})
		})
	}
	for _, write := range writes {
		if err := write(); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.readHTTP2(framer)
}

// readHTTP2 reads the answer to the first stream.
func (s *Server) readHTTP2(framer *http2.Framer) *Response {
	s.t.Helper()
	response := &Response{t: s.t, Header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			s.t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range frame.RegularFields() {
				response.Header.Add(field.Name, field.Value)
			}
			if status := frame.PseudoValue("status"); len(status) == 3 {
				response.Status = int(status[0]-'0')*100 + int(status[1]-'0')*10 + int(status[2]-'0')
			}
		case *http2.DataFrame:
			response.Body += string(frame.Data())
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return response
		}
		if header := frame.Header(); header.StreamID == 1 && header.Flags.Has(http2.FlagDataEndStream) && header.Type <= http2.FrameHeaders {
			return response
		}
	}
}
