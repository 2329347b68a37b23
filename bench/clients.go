package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// parsed is the request that a client sends again and again.
type parsed struct {
	text    []byte
	request *http.Request
}

// read returns the request of a text.
func (p *parsed) read(text []byte) (*http.Request, error) {
	if p.request != nil && &p.text[0] == &text[0] {
		return p.request, nil
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	if request.ContentLength > 0 {
		return nil, errors.New("only clients of HTTP/1.1 send bodies here")
	}
	*p = parsed{text, request}
	return request, nil
}

// client2 is a client of HTTP/2. The fields of its first request are in the table of
// the connection for those after it.
type client2 struct {
	*http2.Framer
	parsed
	connection      net.Conn
	block           bytes.Buffer
	encoder         *hpack.Encoder
	size, sentBytes int
}

func open2(address string) (client, error) {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, ServerName: "localhost"})
	if err != nil {
		return nil, err
	}
	c := &client2{Framer: http2.NewFramer(connection, connection), connection: connection}
	c.encoder = hpack.NewEncoder(&c.block)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(connection, http2.ClientPreface)
	return c, errors.Join(err, c.WriteSettings(), c.WriteWindowUpdate(0, 1<<30))
}

func (c *client2) close() { c.connection.Close() }

func (c *client2) send(text []byte) (int, error) {
	request, err := c.read(text)
	if err != nil {
		return 0, err
	}
	c.block.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: request.Method}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "localhost"}, {Name: ":path", Value: request.URL.RequestURI()},
	}
	for name, values := range request.Header {
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: values[0]})
	}
	for _, f := range fields {
		if err := c.encoder.WriteField(f); err != nil {
			return 0, err
		}
	}
	c.size = c.block.Len() + 9
	c.sentBytes++
	err = c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*c.sentBytes - 1), BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: true})
	for status := 0; err == nil; {
		var frame http2.Frame
		if frame, err = c.ReadFrame(); err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = c.WriteSettingsAck()
			}
		case *http2.GoAwayFrame:
			err = fmt.Errorf("the server goes away: %v", frame.ErrCode)
		case *http2.MetaHeadersFrame:
			status, err = strconv.Atoi(frame.PseudoValue("status"))
		}
		if kind := frame.Header().Type; (kind == http2.FrameHeaders || kind == http2.FrameData) && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return status, err
		}
	}
	return 0, err
}

// client3 is a client of HTTP/3.
type client3 struct {
	*http3.Transport
	parsed
	address string
}

func open3(address string) (client, error) {
	return &client3{
		Transport: &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}},
		address:   address,
	}, nil
}

func (c *client3) close() { c.Transport.Close() }

func (c *client3) send(text []byte) (int, error) {
	request, err := c.read(text)
	if err != nil {
		return 0, err
	}
	copied, err := http.NewRequest(request.Method, "https://"+c.address+request.URL.RequestURI(), nil)
	if err != nil {
		return 0, err
	}
	copied.Header, copied.Host = request.Header, "localhost"
	response, err := c.RoundTrip(copied)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
