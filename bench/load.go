package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// connections is how many clients ask at once, each on a connection that stays
// open.
const connections = 32

// request is what a client sends.
func request(lines ...string) []byte { return requestFor("GET / HTTP/1.1", "", lines...) }

// requestFor is a request with its first line and its body.
func requestFor(first, body string, lines ...string) []byte {
	var text bytes.Buffer
	text.WriteString(first + "\r\nHost: localhost\r\nUser-Agent: bench\r\n")
	for _, line := range lines {
		text.WriteString(line + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&text, "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n", len(body))
	}
	text.WriteString("\r\n" + body)
	return text.Bytes()
}

func bearer(token string) []byte { return request("Authorization: Bearer " + token) }

// client sends a request on its connection and reads the answer.
type client interface {
	send(request []byte) (status int, err error)
	close()
}

// clients are the clients of one site.
type clients struct {
	address string
	all     []client
}

// dial opens the connections to a site.
func dial(open func(address string) (client, error), address string) (*clients, error) {
	c := &clients{address: address, all: make([]client, connections)}
	for i := range c.all {
		one, err := open(address)
		if err != nil {
			c.all = c.all[:i]
			c.close()
			return nil, err
		}
		c.all[i] = one
	}
	return c, nil
}

func (c *clients) close() {
	for _, one := range c.all {
		one.close()
	}
}

// load is what the clients send in turn: the requests, again and again until the time
// is over, or each one once without a time.
type load struct {
	requests [][]byte
	time     time.Duration
	status   int // that every answer must have
}

// send returns how many requests were answered, and how long it took.
func (c *clients) send(l load) (int, time.Duration, error) {
	var next, answered atomic.Int64
	failures := make([]error, len(c.all))
	began := time.Now()
	var working sync.WaitGroup
	for i, one := range c.all {
		working.Go(func() {
			for {
				number := int(next.Add(1) - 1)
				if l.time == 0 && number >= len(l.requests) || l.time > 0 && time.Since(began) >= l.time {
					return
				}
				status, err := one.send(l.requests[number%len(l.requests)])
				if err == nil && status != l.status {
					err = fmt.Errorf("%s answers %d, not %d", c.address, status, l.status)
				}
				if err != nil {
					failures[i] = err
					return
				}
				answered.Add(1)
			}
		})
	}
	working.Wait()
	return int(answered.Load()), time.Since(began), errors.Join(failures...)
}

// client1 is a client of HTTP/1.1.
type client1 struct {
	net.Conn
	reader *bufio.Reader
}

func open1(address string) (client, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client1{connection, bufio.NewReader(connection)}, nil
}

func (c *client1) close() { c.Close() }

func (c *client1) send(request []byte) (int, error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return readAnswer(c.reader)
}

var contentLength = []byte("Content-Length: ")

// readAnswer reads an answer to its end and returns its status. It costs next
// to nothing, so that the processors are there for the servers.
func readAnswer(reader *bufio.Reader) (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first && len(line) >= 12:
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, err
			}
		case len(line) == 0:
			_, err = io.CopyN(io.Discard, reader, int64(length))
			return status, err
		case bytes.HasPrefix(line, contentLength):
			if length, err = strconv.Atoi(string(line[len(contentLength):])); err != nil {
				return 0, err
			}
		}
	}
}
