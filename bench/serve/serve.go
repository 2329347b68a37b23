// Package serve runs Caddy in a process of its own, which says what it uses of the
// machine. The programs that are measured share it.
package serve

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"runtime"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the rest of Caddy
)

// Command makes a program a server, with the file of its Caddyfile behind it.
const Command = "serve"

// Run runs the server that the command line asks for, and reports whether it did.
func Run() bool {
	if len(os.Args) != 3 || os.Args[1] != Command {
		return false
	}
	run(os.Args[2])
	return true
}

// run runs Caddy with a Caddyfile. For every line on standard input it answers on
// standard output what it has used so far.
func run(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
	if err != nil {
		log.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(usage(lines.Text() == "collect"))
	}
}

// usage is the processor time in nanoseconds, and memory in bytes. The memory is the
// live heap (after a collection only), the resident memory, and its part without files.
func usage(collect bool) string {
	var heap runtime.MemStats
	if collect {
		runtime.GC()
		runtime.ReadMemStats(&heap)
	}
	resident, anonymous := memory()
	return fmt.Sprint(Processor(), heap.HeapAlloc, resident, anonymous)
}

// Processor is the processor time of this process, in nanoseconds.
func Processor() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// memory reads the resident memory, and the part of it besides files, such as the
// program. Both are zero without /proc.
func memory() (resident, anonymous int64) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	var all, pages, files int64
	if _, err := fmt.Sscan(string(statm), &all, &pages, &files); err != nil {
		return 0, 0
	}
	size := int64(os.Getpagesize())
	return pages * size, (pages - files) * size
}
