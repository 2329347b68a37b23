// Command soak runs Caddy with the plugin under a mixed load for a long time. Clients
// send valid, new, expired, forged and unknown tokens, valid and invalid passwords and
// keys, and proofs of possession. The provider changes its keys and becomes
// unavailable. Configurations are reloaded, and some of them fail to load.
//
//	go -C bench run ./soak
//	go -C bench run ./soak -time 1h
//
// Every answer has to be the one that is documented. At the end there may be no
// more goroutines, files and memory than after the beginning; otherwise it fails.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/excorp/caddy-require-auth/bench/serve"
)

func main() {
	log.SetFlags(0)
	if serve.Run() {
		return
	}
	long := flag.Duration("time", 10*time.Minute, "how long to go on")
	report := flag.Duration("report", time.Minute, "how often to print a line")
	flag.Parse()
	if err := soak(*long, *report); err != nil {
		log.Fatal(err)
	}
}

func soak(long, report time.Duration) error {
	provider, err := newProvider()
	if err != nil {
		return err
	}
	defer provider.server.Close()
	folder, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	server, err := startServer(folder, provider.server.URL)
	if err != nil {
		return err
	}
	defer server.stop()
	clients, err := newClients(server, provider)
	if err != nil {
		return err
	}
	fmt.Println("  after   requests  unexpected   cut  reloads  refused to load  new keys  outages  resident MiB  live heap MiB  goroutines  files")
	line := func(after time.Duration) (figures, error) {
		f, err := server.figures()
		fmt.Printf("%7s %10d %11d %5d %8d %16d %9d %8d %13d %14.1f %11d %6d\n", after.Round(time.Second), clients.requests.Load(), clients.unexpected.Load(), clients.wire.cut.Load(),
			server.reloads, server.failures, provider.rotations.Load(), provider.outages.Load(), f.resident>>20, float64(f.heap)/(1<<20), f.goroutines, f.files)
		return f, err
	}
	// All has been there once before the first figures are taken.
	if err := clients.during(min(long/10, 30*time.Second), nil); err != nil {
		return err
	}
	first, err := line(0)
	if err != nil {
		return err
	}
	began := time.Now()
	next := report
	err = clients.during(long, func() error {
		if time.Since(began) < next {
			return nil
		}
		next += report
		_, err := line(time.Since(began))
		return err
	})
	if err != nil {
		return err
	}
	last, err := line(time.Since(began))
	return errors.Join(err, clients.verdict(), last.more(first))
}
