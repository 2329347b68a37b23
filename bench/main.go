// Command bench measures what the gate costs, against the same Caddy without
// it, and prints the tables of docs/performance.md. One run takes some minutes:
//
//	go -C bench run .
//
// Figures are processor time, as the operating system counts it, in pairs: one run
// of each kind in turn. So they hold when the speed of the machine drifts, and when
// other programs use it.
package main

import (
	"flag"
	"io"
	"log"
	"os"
	"time"

	"github.com/excorp/caddy-require-auth/bench/serve"
)

// options are those of the command line.
type options struct {
	pairs    int
	launches int
	time     time.Duration
	many     int
	fresh    int
	memory   bool
	parts    bool
	fields   bool
	wire     bool
	servers  bool
	peers    bool
	only     string
}

func main() {
	log.SetFlags(0)
	if serve.Run() {
		return
	}
	var o options
	flag.IntVar(&o.pairs, "pairs", 10, "pairs of runs for each row and launch")
	flag.IntVar(&o.launches, "launches", 2, "how often the two servers of a row are started: what a process costs depends on where its memory is, too")
	flag.DurationVar(&o.time, "time", 250*time.Millisecond, "how long each run takes")
	flag.IntVar(&o.many, "tokens", 10_000, "how many tokens are sent in turn")
	flag.IntVar(&o.fresh, "fresh", 1500, "how many new tokens each run has")
	flag.BoolVar(&o.servers, "servers", true, "measure servers")
	flag.BoolVar(&o.memory, "memory", true, "measure memory too, with a million and a half requests")
	flag.BoolVar(&o.parts, "parts", true, "measure the parts in this process too")
	flag.BoolVar(&o.fields, "fields", false, "print all fields of a request, and not only what costs most")
	flag.BoolVar(&o.wire, "wire", true, "measure fields over HTTP/1.1, HTTP/2 and HTTP/3 too")
	flag.BoolVar(&o.peers, "peers", false, "measure other gates instead, which folder peers builds")
	flag.StringVar(&o.only, "only", "", "only the rows whose name has this in it")
	flag.Parse()
	if err := run(os.Stdout, o); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer, o options) error {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	keys, err := newSigners(folder)
	if err != nil {
		return err
	}
	if o.peers {
		program, err := buildPeers(folder)
		if err != nil {
			return err
		}
		return measureServers(out, o, program, folder, keys, peerRows)
	}
	for _, part := range []struct {
		wanted  bool
		measure func() error
	}{
		{o.servers, func() error { return measureServers(out, o, "", folder, keys, rows) }},
		{o.parts, func() error { return measureParts(out, o, keys) }},
		{o.wire, func() error { return measureWire(out, wireRequests, folder, keys) }},
		{o.memory, func() error { return measureMemory(out, folder, keys) }},
	} {
		if !part.wanted {
			continue
		}
		if err := part.measure(); err != nil {
			return err
		}
	}
	return nil
}
