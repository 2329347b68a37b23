package harness

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// The frames and streams of HTTP/3 that tests need (RFC 9114 §7.2, §6.2.1).
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameSettings = 0x4
	streamControl = 0x0
)

// SendHTTP3 is [Server.SendHTTP2] for a site that is written https://localhost:8081, on
// a new connection. It adds the options of TLS to the configuration.
func (s *Server) SendHTTP3(config *tls.Config, fields []string, body string, trailers ...string) *Response {
	s.t.Helper()
	transport, packets := s.newTransport()
	packets.listen()
	return s.sendHTTP3(s.dialHTTP3(transport, config), fields, body, trailers, func() {})
}

// Ticket opens a connection of HTTP/3 to get what a later one can be resumed
// with.
func (s *Server) Ticket() *tls.Config {
	s.t.Helper()
	tickets := &ticketBox{ClientSessionCache: tls.NewLRUClientSessionCache(1), arrived: make(chan struct{})}
	config := &tls.Config{ClientSessionCache: tickets}
	transport, packets := s.newTransport()
	packets.listen()
	connection := s.dialHTTP3(transport, config)
	select {
	case <-tickets.arrived:
	case <-time.After(3 * time.Second):
		s.t.Fatal("the server gives no tickets")
	}
	if err := connection.CloseWithError(0, ""); err != nil {
		s.t.Fatal(err)
	}
	return config
}

// SendEarly sends a request of HTTP/3 as early data (RFC 9001 §4.6.1), in the first
// packets of a resumed connection. The handshake that proves freshness and the source
// address comes later. Nothing that the server sends is heard while meanwhile runs, so
// the handshake cannot end.
func (s *Server) SendEarly(ticket *tls.Config, fields []string, meanwhile func()) *Response {
	s.t.Helper()
	transport, packets := s.newTransport()
	defer packets.listen()
	return s.sendHTTP3(s.dialHTTP3(transport, ticket), fields, "", nil, func() {
		meanwhile()
		packets.listen()
	})
}

// newTransport sends from a port of its own, and hears nothing yet.
func (s *Server) newTransport() (*quic.Transport, *silentConn) {
	s.t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	packets := &silentConn{PacketConn: socket, hears: make(chan struct{})}
	transport := &quic.Transport{Conn: packets}
	s.t.Cleanup(func() {
		packets.listen()
		_ = transport.Close()
		_ = socket.Close()
	})
	return transport, packets
}

// silentConn hears nothing until it listens.
type silentConn struct {
	net.PacketConn
	hears chan struct{}
	once  sync.Once
}

func (d *silentConn) listen() { d.once.Do(func() { close(d.hears) }) }

// ReadFrom reads a packet, as soon as it may.
func (d *silentConn) ReadFrom(data []byte) (int, net.Addr, error) {
	<-d.hears
	return d.PacketConn.ReadFrom(data)
}

// ticketBox reports when the ticket for resumption arrives.
type ticketBox struct {
	tls.ClientSessionCache
	arrived chan struct{}
	once    sync.Once
}

// Put keeps a ticket.
func (b *ticketBox) Put(key string, state *tls.ClientSessionState) {
	b.ClientSessionCache.Put(key, state)
	if state != nil {
		b.once.Do(func() { close(b.arrived) })
	}
}

// dialHTTP3 opens a connection, with early data where there is a ticket, and
// its control stream.
func (s *Server) dialHTTP3(transport *quic.Transport, config *tls.Config) *quic.Conn {
	s.t.Helper()
	config.ServerName, config.InsecureSkipVerify, config.NextProtos = "localhost", true, []string{"h3"}
	address, err := net.ResolveUDPAddr("udp", "127.0.0.1:"+s.ports["8081"])
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	s.t.Cleanup(cancel)
	connection, err := transport.DialEarly(ctx, address, config, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	control, err := connection.OpenUniStream()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := control.Write([]byte{streamControl, frameSettings, 0}); err != nil {
		s.t.Fatal(err)
	}
	return connection
}

// sendHTTP3 writes a request, and reads the answer when it was sent. If the server
// resets the stream, the status is 0.
func (s *Server) sendHTTP3(connection *quic.Conn, fields []string, body string, trailers []string, sent func()) *Response {
	s.t.Helper()
	stream, err := connection.OpenStream()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := stream.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	request := frame(nil, frameHeaders, s.encodeFields(fields))
	if body != "" {
		request = frame(request, frameData, []byte(body))
	}
	if len(trailers) > 0 {
		request = frame(request, frameHeaders, s.encodeFields(trailers))
	}
	// A server that wants no more of a request says so, and answers all the same.
	if _, err := stream.Write(request); err == nil {
		_ = stream.Close()
	}
	sent()
	response := &Response{t: s.t, Header: http.Header{}}
	reader := quicvarint.NewReader(stream)
	for {
		kind, content, err := readFrame(reader)
		if err != nil {
			return response // the end, or a reset
		}
		switch kind {
		case frameHeaders:
			s.decodeFields(response, content)
		case frameData:
			response.Body += string(content)
		}
	}
}

// frame appends a frame: its type, its length, its content (RFC 9114 §7.1).
func frame(to []byte, kind uint64, content []byte) []byte {
	to = quicvarint.Append(quicvarint.Append(to, kind), uint64(len(content)))
	return append(to, content...)
}

func readFrame(r quicvarint.Reader) (kind uint64, content []byte, err error) {
	if kind, err = quicvarint.Read(r); err != nil {
		return 0, nil, err
	}
	length, err := quicvarint.Read(r)
	if err != nil {
		return 0, nil, err
	}
	content, err = io.ReadAll(io.LimitReader(r, int64(length)))
	return kind, content, err
}

func (s *Server) encodeFields(fields []string) []byte {
	s.t.Helper()
	var block strings.Builder
	encoder := qpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			s.t.Fatal(err)
		}
	}
	return []byte(block.String())
}

func (s *Server) decodeFields(response *Response, block []byte) {
	s.t.Helper()
	next := qpack.NewDecoder().Decode(block)
	for {
		field, err := next()
		switch {
		case err == io.EOF: //nolint:errorlint // it is returned as it is
			return
		case err != nil:
			s.t.Fatal(err)
		case field.Name == ":status":
			if response.Status, err = strconv.Atoi(field.Value); err != nil {
				s.t.Fatal(err)
			}
		default:
			response.Header.Add(field.Name, field.Value)
		}
	}
}
