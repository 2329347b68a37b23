package command

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/accesstest"
	"github.com/excorp/caddy-require-auth/internal/lint"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/textfile"
	"github.com/excorp/caddy-require-auth/openapi"
)

// loadForTest loads a configuration with test credentials. It listens on no address and
// stays off the network.
type loadForTest func(config []byte) (accesstest.Configuration, *accesstest.Credentials, error)

type testOptions struct {
	source
	load                             loadForTest
	verbose, coverage, asJSON, watch bool
	junit                            string
	openapi                          []string
}

// testCommand runs access tests.
func testCommand(load loadForTest) *cobra.Command {
	options := testOptions{load: load}
	command := &cobra.Command{
		Use:   "test <file>...",
		Short: "Tests which callers may send which requests",
		Long: `
Runs files of access tests against a configuration. Each case is a caller, a
request and the expected answer:

  site https://api.example.com
  caller alice corp {
      user  alice
      scope read
  }
  anonymous GET /me    401
  alice     GET /me    pass
  alice     GET /admin 403 insufficient_scope admin

The gates decide by the same code as in a server, and nothing leaves this process.
No credential is needed: the configuration is loaded with keys and passwords of this
run. The exit code is 1 if a case fails. An OpenAPI document at a URL
is not fetched: --openapi names a copy.

--coverage lists the gates and the rules that no case exercises.`,
		Example: `  caddy auth test access.test
  caddy auth test --config caddy.json --coverage --junit report.xml *.test
  caddy auth test --watch access.test`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return run(func(cmd *cobra.Command) (int, error) {
				if options.watch {
					return options.rerun(cmd, files)
				}
				return options.run(cmd, files)
			})(cmd, files)
		},
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.BoolVarP(&options.verbose, "verbose", "v", false, "list the cases that hold too")
	flags.BoolVar(&options.coverage, "coverage", false, "list the gates and the rules that no case exercises")
	flags.BoolVar(&options.asJSON, "json", false, "print JSON")
	flags.StringVar(&options.junit, "junit", "", "write a report in JUnit's XML to this file")
	addOpenAPI(flags, &options.openapi)
	flags.BoolVar(&options.watch, "watch", false, "run again when the configuration or a file of tests changes")
	return command
}

// testReport is the output of the command.
type testReport struct {
	Files    []testedFile         `json:"files"`
	Failed   int                  `json:"failed"`
	Coverage *accesstest.Coverage `json:"coverage,omitempty"`
}

// testedFile is the report of one file.
type testedFile struct {
	File     string               `json:"file"`
	Failed   int                  `json:"failed"`
	Outcomes []accesstest.Outcome `json:"cases"`
	elapsed  time.Duration
}

func (o *testOptions) run(cmd *cobra.Command, files []string) (int, error) {
	config, err := o.read()
	if err != nil {
		return exitFailed, err
	}
	cases, err := readCases(files)
	if err != nil {
		return exitFailed, err
	}
	if err := openapi.UseCopies(o.openapi); err != nil {
		return exitFailed, err
	}
	loaded, credentials, err := o.load(config.raw)
	if err != nil {
		return exitFailed, err
	}
	var report testReport
	var all []accesstest.Outcome
	for i, file := range files {
		began := time.Now()
		tested := testedFile{File: file, Outcomes: accesstest.Run(cmp.Or(cmd.Context(), context.Background()), loaded, credentials, cases[i])}
		tested.elapsed = time.Since(began)
		for _, outcome := range tested.Outcomes {
			if outcome.Failure != "" {
				tested.Failed++
			}
		}
		report.Failed += tested.Failed
		report.Files = append(report.Files, tested)
		all = append(all, tested.Outcomes...)
	}
	if o.coverage {
		coverage := accesstest.Cover(loaded.Gates(), all)
		if err := config.replacePaths(coverage.Missing); err != nil {
			return exitFailed, err
		}
		report.Coverage = &coverage
	}
	code, failure := exitDone, error(nil)
	if report.Failed > 0 {
		code, failure = exitFailed, fmt.Errorf("%d of %d cases failed", report.Failed, len(all))
	}
	if o.junit != "" {
		if err := report.writeJUnit(o.junit); err != nil {
			return exitFailed, err
		}
	}
	if o.asJSON {
		return code, errors.Join(failure, writeJSON(cmd.OutOrStdout(), report))
	}
	return code, errors.Join(failure, report.write(cmd.OutOrStdout(), o.verbose))
}

func readCases(files []string) ([][]accesstest.Case, error) {
	cases := make([][]accesstest.Case, len(files))
	for i, file := range files {
		content, err := textfile.ReadArgument(file)
		if err != nil {
			return nil, err
		}
		if cases[i], err = accesstest.Parse(file, content); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// replacePaths replaces paths in the JSON by lines of the Caddyfile.
func (c *configuration) replacePaths(missing []accesstest.Uncovered) error {
	position, err := c.locator()
	if err != nil {
		return err
	}
	gates := make(map[string]routes.PlacedGate)
	for _, analysis := range c.analyze() {
		for _, gate := range analysis.Gates {
			gates[gate.Where] = gate
		}
	}
	for i, one := range missing {
		if gate, ok := gates[one.Where]; ok {
			missing[i].Where = strings.Join(position(lint.FindingAt(gate)), " or ")
		}
	}
	return nil
}

// write prints the report in the form of `go test`.
func (r testReport) write(w io.Writer, verbose bool) error {
	var b strings.Builder
	for _, file := range r.Files {
		for _, outcome := range file.Outcomes {
			switch {
			case outcome.Failure != "":
				fmt.Fprintf(&b, "--- FAIL: %s (%.2fs)\n    %s: %s\n", outcome.Name, outcome.Elapsed.Seconds(), outcome.Position, outcome.Failure)
			case verbose:
				fmt.Fprintf(&b, "--- PASS: %s (%.2fs)\n", outcome.Name, outcome.Elapsed.Seconds())
			}
		}
		verdict := "ok  "
		if file.Failed > 0 {
			verdict = "FAIL"
		}
		fmt.Fprintf(&b, "%s\t%s\t%.3fs\t%d cases, %d failed\n", verdict, file.File, file.elapsed.Seconds(), len(file.Outcomes), file.Failed)
	}
	if r.Coverage != nil {
		for _, one := range r.Coverage.Missing {
			fmt.Fprintf(&b, "%s: gate %s: %s\n", one.Where, gateText(one.Gate), one.What)
		}
		fmt.Fprintf(&b, "coverage: %.1f%% of gates and rules\n", r.Coverage.Percent())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func gateText(g accesstest.Gate) string {
	text := strings.Join(g.Accepts, " or ")
	if g.Required != "" {
		text += " (" + g.Required + ")"
	}
	return text
}

// The elements of a report in JUnit's XML.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
	}
)

func (r testReport) writeJUnit(path string) error {
	var all junitSuites
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	for _, file := range r.Files {
		suite := junitSuite{Name: file.File, Tests: len(file.Outcomes), Failures: file.Failed, Time: seconds(file.elapsed)}
		for _, outcome := range file.Outcomes {
			one := junitCase{Class: file.File, Name: outcome.Position + " " + outcome.Name, Time: seconds(outcome.Elapsed)}
			if outcome.Failure != "" {
				one.Failure = &junitFailure{Message: outcome.Failure}
			}
			suite.Cases = append(suite.Cases, one)
		}
		all.Suites = append(all.Suites, suite)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(xml.Header), text...), 0o600)
}

// rerun runs the tests in another process, and again when a file changes.
func (o *testOptions) rerun(cmd *cobra.Command, files []string) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return exitFailed, err
	}
	arguments := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(argument string) bool { return strings.HasPrefix(argument, "--watch") })
	watched := append(slices.Clone(files), cmp.Or(o.file, "Caddyfile"))
	ctx := cmp.Or(cmd.Context(), context.Background())
	for {
		before := stamps(watched)
		child := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // this program, as it was called
		child.Stdout, child.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		var failed *exec.ExitError
		if err := child.Run(); err != nil && !errors.As(err, &failed) {
			return exitFailed, err
		}
		for stamps(watched) == before {
			select {
			case <-ctx.Done():
				return exitDone, nil
			case <-time.After(watchEvery):
			}
		}
	}
}

// watchEvery is how often --watch checks the files.
const watchEvery = 500 * time.Millisecond

// stamps returns a text that changes with one of the files.
func stamps(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintln(&b, info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}
