// Command conformance writes docs/conformance.md. For each rule of docs/rules.csv it
// has the result of the tests that carry its id, or why the rule does not apply.
//
// It runs in the folder tools and reads the output of `go test -json ./...` from
// standard input. With -write it writes the page. Otherwise it compares the page, and a
// rule that applies and has no passing test is an error.
package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const (
	rulesFile = "../docs/rules.csv"
	pageFile  = "../docs/conformance.md"
	module    = "github.com/excorp/caddy-require-auth"
)

func main() {
	write := flag.Bool("write", false, "write the page instead of comparing it")
	flag.Parse()
	if err := run(os.Stdin, *write); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(testOutput io.Reader, write bool) error {
	rules, err := readRules()
	if err != nil {
		return err
	}
	tests, err := readTests(testOutput)
	if err != nil {
		return err
	}
	page := render(rules, tests)
	if write {
		return os.WriteFile(pageFile, page, 0o644) //nolint:gosec // a page for everybody
	}
	if missing := uncovered(rules, tests); len(missing) > 0 {
		return fmt.Errorf("no passing test carries %s", strings.Join(missing, ", "))
	}
	current, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(current, page) {
		return fmt.Errorf("%s is out of date: run .ci/conformance --write", pageFile)
	}
	return nil
}

// rule is a row of the file of rules.
type rule struct{ id, level, source, text, exempt string }

func readRules() ([]rule, error) {
	file, err := os.Open(rulesFile)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rulesFile, err)
	}
	if len(rows) < 2 {
		return nil, errors.New("rules not found")
	}
	var rules []rule
	for _, row := range rows[1:] {
		rules = append(rules, rule{row[0], row[1], row[2], row[3], row[4]})
	}
	return rules, nil
}

// coverage is the number of passing tests of each rule.
type coverage map[string]int

// ruleID finds the ids in the name of a test.
var ruleID = regexp.MustCompile(`\b[A-Z][A-Z0-9]*-\d+\b`)

// readTests collects the passing tests by the ids in their own names. The ids in the
// name of a parent test do not count. A test passes only if its parents pass.
func readTests(output io.Reader) (coverage, error) {
	type test struct{ where, name string }
	var passed []test
	failed := make(map[test]bool)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var event struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		this := test{strings.TrimPrefix(strings.TrimPrefix(event.Package, module), "/"), event.Test}
		switch event.Action {
		case "pass":
			passed = append(passed, this)
		case "fail":
			failed[this] = true
		}
	}
	found := make(coverage)
	for _, t := range passed {
		outer, _, _ := strings.Cut(t.name, "/")
		if failed[test{t.where, outer}] {
			continue
		}
		// go test writes the spaces of a name as underscores.
		own := strings.ReplaceAll(t.name[strings.LastIndexByte(t.name, '/')+1:], "_", " ")
		for _, id := range ruleID.FindAllString(own, -1) {
			found[id]++
		}
	}
	return found, lines.Err()
}

func uncovered(rules []rule, tests coverage) []string {
	var missing []string
	for _, r := range rules {
		if r.exempt == "" && tests[r.id] == 0 {
			missing = append(missing, r.id)
		}
	}
	return missing
}

func render(rules []rule, tests coverage) []byte {
	var page bytes.Buffer
	covered, exempt := 0, 0
	for _, r := range rules {
		if tests[r.id] > 0 {
			covered++
		} else if r.exempt != "" {
			exempt++
		}
	}
	fmt.Fprintf(&page, `# Conformance

Made from a run of the tests by `+"`.ci/conformance --write`"+`; CI fails when it is out of date.

The tests of a rule carry its id in their names: `+"`go test ./... -run '.*/.*R7617-2'`"+` runs those of one rule.

%d rules: %d pass, %d do not apply or not yet, %d are open.

| rule | level | source | what is asked | result |
| --- | --- | --- | --- | --- |
`, len(rules), covered, exempt, len(rules)-covered-exempt)
	for _, r := range rules {
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", r.id, r.level, escape(r.source), escape(r.text), result(r, tests))
	}
	return page.Bytes()
}

func result(r rule, tests coverage) string {
	switch {
	case tests[r.id] > 0:
		return "passes"
	case r.exempt != "":
		return escape(r.exempt)
	default:
		return "**open**"
	}
}

func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
