package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// kind is a kind of client: what it sends, how often, and what it may get.
type kind struct {
	name  string
	every time.Duration
	allow []int
	make  func(*http.Request) error
}

// clients are all kinds at once.
type clients struct {
	server   *server
	provider *provider
	kinds    []kind
	http     *http.Client
	wire     *again // of http

	requests, unexpected atomic.Int64
}

// during lets them ask for a time, while reloads, new keys and outages go on.
// It calls a function now and then.
func (c *clients) during(long time.Duration, now func() error) error {
	end, stop := time.Now().Add(long), make(chan struct{})
	var all sync.WaitGroup
	for _, kind := range c.kinds {
		all.Go(func() { c.run(kind, stop) })
	}
	err := c.disturb(end, now)
	close(stop)
	all.Wait()
	c.http.CloseIdleConnections()
	return err
}

// disturb reloads every five seconds, publishes a new key every minute and has
// the provider away for ten seconds of each.
func (c *clients) disturb(end time.Time, now func() error) error {
	for second := 1; time.Now().Before(end); second++ {
		time.Sleep(time.Second)
		switch {
		case second%5 == 0:
			if err := c.server.reload(); err != nil {
				return err
			}
		case second%60 == 1:
			if err := c.provider.rotate(); err != nil {
				return err
			}
		case second%60 == 42:
			c.provider.away.Store(true)
			c.provider.outages.Add(1)
		case second%60 == 52:
			c.provider.away.Store(false)
		}
		if now != nil {
			if err := now(); err != nil {
				return err
			}
		}
	}
	c.provider.away.Store(false)
	return nil
}

func (c *clients) run(k kind, stop <-chan struct{}) {
	ticks := time.NewTicker(k.every)
	defer ticks.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticks.C:
		}
		if err := c.send(k); err != nil {
			if c.unexpected.Add(1) <= 20 {
				fmt.Fprintf(os.Stderr, "%s: %v\n", k.name, err)
			}
		}
	}
}

func (c *clients) send(k kind) error {
	r, err := http.NewRequest(http.MethodGet, "http://"+c.server.site+"/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	if err := k.make(r); err != nil {
		return err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	c.requests.Add(1)
	body, err := io.ReadAll(response.Body)
	if err == nil && !slices.Contains(k.allow, response.StatusCode) {
		return fmt.Errorf("status %d %s", response.StatusCode, body)
	}
	return err
}

// verdict is what the answers were.
func (c *clients) verdict() error {
	switch {
	case c.unexpected.Load() > 0:
		return fmt.Errorf("%d of %d answers were not as documented", c.unexpected.Load(), c.requests.Load())
	case c.wire.cut.Load() > int64(len(c.kinds)*c.server.reloads):
		return fmt.Errorf("%d connections were cut at %d reloads", c.wire.cut.Load(), c.server.reloads)
	case c.requests.Load() == 0:
		return errors.New("nothing was asked")
	default:
		return nil
	}
}
