package main

import (
	"bufio"
	"bytes"
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
func request(lines ...string) []byte {
	var text bytes.Buffer
	text.WriteString("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n")
	for _, line := range lines {
		text.WriteString(line + "\r\n")
	}
	text.WriteString("\r\n")
	return text.Bytes()
}

func bearer(token string) []byte { return request("Authorization: Bearer " + token) }

// load sends requests in turn from all clients: those given, again and again
// until the time is over, or each one once without a time.
type load struct {
	requests [][]byte
	time     time.Duration
	status   int // that every answer must have
}

// against returns how many requests were answered, and how long it took.
func (l load) against(address string) (int, time.Duration, error) {
	var next, answered atomic.Int64
	var failure atomic.Value
	began := time.Now()
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() {
			if err := l.client(address, began, &next, &answered); err != nil {
				failure.Store(err)
			}
		})
	}
	clients.Wait()
	took := time.Since(began)
	if err, failed := failure.Load().(error); failed {
		return 0, 0, err
	}
	return int(answered.Load()), took, nil
}

func (l load) client(address string, began time.Time, next, answered *atomic.Int64) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		number := int(next.Add(1) - 1)
		if l.time == 0 && number >= len(l.requests) || l.time > 0 && time.Since(began) >= l.time {
			return nil
		}
		if _, err := connection.Write(l.requests[number%len(l.requests)]); err != nil {
			return err
		}
		status, err := readAnswer(reader)
		if err != nil {
			return err
		}
		if status != l.status {
			return fmt.Errorf("%s answers %d, not %d", address, status, l.status)
		}
		answered.Add(1)
	}
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
