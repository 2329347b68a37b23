// Command testreport reads the output of `go test -json` from standard input,
// prints what failed, what was skipped and how many tests passed, and fails if
// a test failed or was skipped: a skip hides what is not tested.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	failed, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

type event struct {
	Action, Package, Test, Output string
}

// report tells what happened; tests are counted without those inside them.
func report(in io.Reader, out io.Writer) (failed bool, err error) {
	output := make(map[string]*strings.Builder)
	passed, bad, skipped := 0, 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			_, _ = fmt.Fprintln(out, lines.Text()) // what is not JSON is the go command's own complaint
			continue
		}
		name := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if output[name] == nil {
				output[name] = new(strings.Builder)
			}
			_, _ = output[name].WriteString(e.Output) // a builder takes every write
		case "pass":
			if e.Test != "" {
				passed++
			}
		case "fail", "skip":
			if e.Action == "skip" && e.Test == "" {
				continue // a package without tests
			}
			_, _ = fmt.Fprintf(out, "--- %s: %s\n%s", e.Action, name, output[name])
			if e.Action == "skip" {
				skipped++
			} else {
				bad++
			}
		}
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, bad, skipped)
	return bad+skipped > 0 || passed == 0, lines.Err()
}
