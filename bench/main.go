// Command bench measures what the gate costs, against the same Caddy without
// it, and prints the table of docs/performance.md. One run takes some minutes:
//
//	go -C bench run .
//
// Ratios are taken in pairs, one run of each kind in turn, so that they hold
// when the machine's speed drifts. The servers are processes of their own, and
// what they use of the processor is what the operating system says.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"text/tabwriter"
	"time"
)

// options are those of the command line.
type options struct {
	pairs  int
	time   time.Duration
	many   int
	fresh  int
	memory bool
	parts  bool
	wire   bool
	only   string
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 3 && os.Args[1] == serveCommand {
		serve(os.Args[2])
		return
	}
	var o options
	flag.IntVar(&o.pairs, "pairs", 9, "pairs of runs for each row")
	flag.DurationVar(&o.time, "time", time.Second, "how long each run takes")
	flag.IntVar(&o.many, "tokens", 10_000, "how many tokens are sent in turn")
	flag.IntVar(&o.fresh, "fresh", 6000, "how many new tokens each run has")
	flag.BoolVar(&o.memory, "memory", true, "measure memory too, with a million and a half requests")
	flag.BoolVar(&o.parts, "parts", true, "measure the parts in this process too")
	flag.BoolVar(&o.wire, "wire", true, "measure fields over HTTP/1.1, HTTP/2 and HTTP/3 too")
	flag.StringVar(&o.only, "only", "", "only the rows whose name has this in it")
	flag.Parse()
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	keys, err := newSigners(folder)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "work\tfigure\ttarget\tmeasured\tspread\t")
	if o.parts {
		measureParts(out, o, keys)
	}
	if err := measureServers(out, o, folder, keys); err != nil {
		return err
	}
	if o.wire {
		if err := measureWire(out, wireRequests, folder, keys); err != nil {
			return err
		}
	}
	if o.memory {
		if err := measureMemory(out, folder, keys); err != nil {
			return err
		}
	}
	return nil
}
