// Command licenses reads a software bill of materials (CycloneDX, JSON) from its
// standard input. It fails if a part has no license, or one that this project cannot be
// distributed with.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	parts, err := read(in)
	if err != nil {
		return err
	}
	counts, err := check(parts)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if _, err := fmt.Fprintf(out, "%4d %s\n", c.parts, c.license); err != nil {
			return err
		}
	}
	return nil
}
