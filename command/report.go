package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/denials"
)

type reportOptions struct {
	log, address, decision string
	asJSON                 bool
	top                    int
}

// reportCommand sums up what gates with report_only would deny.
func reportCommand() *cobra.Command {
	var options reportOptions
	command := &cobra.Command{
		Use:   "report",
		Short: "Sums up the requests that report_only would deny",
		Long: `
Sums up the requests that would be denied, with their callers, the reason and a
remedy. Numbers and ids in paths count as one.

With --log it reads the records of gates in a log of JSON lines, and ignores other
lines. With --address it asks a running server, through its admin API. The server
counts since it loaded its configuration.

The exit code is 2 if a request would be denied.`,
		Example: `  caddy auth report --log /var/log/caddy/default.log
  journalctl -u caddy -o cat | caddy auth report --log -
  caddy auth report --log default.log --decision denied --json
  caddy auth report --address localhost:2019
  caddy auth report --address unix//run/caddy/admin.sock`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	flags := command.Flags()
	flags.StringVar(&options.log, "log", "", "the log; - is the standard input")
	flags.StringVar(&options.address, "address", "", "the admin API of a running server, such as localhost:2019 or unix//run/caddy/admin.sock")
	flags.StringVar(&options.decision, "decision", denials.WouldDeny, "would_deny, or denied for requests that were denied")
	flags.IntVar(&options.top, "top", 50, "the largest number of rows")
	flags.BoolVar(&options.asJSON, "json", false, "print JSON")
	return command
}

func (o *reportOptions) run(cmd *cobra.Command) (int, error) {
	switch {
	case (o.log == "") == (o.address == ""):
		return exitFailed, errors.New("write where the denials are: --log <file>, --log - for the standard input, or --address <admin API>")
	case o.decision != denials.WouldDeny && o.decision != denials.Denied:
		return exitFailed, fmt.Errorf("invalid decision %q: write would_deny or denied", o.decision)
	case o.address != "" && o.decision == denials.Denied:
		return exitFailed, errors.New("a server counts only what report_only would deny: write --log for requests that were denied")
	}
	summed, err := o.read(cmp.Or(cmd.Context(), context.Background()), cmd.InOrStdin())
	if err != nil {
		return exitFailed, fmt.Errorf("%s: %w", o.log+o.address, err)
	}
	code := exitDone
	if summed.Requests > 0 {
		code = exitFindings
	}
	if o.asJSON {
		return code, writeJSON(cmd.OutOrStdout(), summed)
	}
	return code, writeDenials(cmd.OutOrStdout(), summed, o.top)
}

// read reads the log, or asks a server.
func (o *reportOptions) read(ctx context.Context, stdin io.Reader) (summed denials.Report, err error) {
	switch o.log {
	case "":
		answer, err := CallServer(ctx, o.address, http.MethodGet, "/auth/report", nil, serverTimeout)
		if err != nil {
			return summed, err
		}
		return summed, json.Unmarshal(answer, &summed)
	case "-":
		return denials.Read(stdin, o.decision)
	}
	file, err := os.Open(o.log)
	if err != nil {
		return summed, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	return denials.Read(file, o.decision)
}

// writeDenials prints a report.
func writeDenials(w io.Writer, s denials.Report, top int) error {
	var b strings.Builder
	verb := strings.ReplaceAll(s.Decision, "_", " ")
	for i, row := range s.Rows {
		if i == top {
			fmt.Fprintf(&b, "… %d more rows: --top shows them\n\n", len(s.Rows)-top)
			break
		}
		fmt.Fprintf(&b, "%d × %s %s%s\n", row.Count, row.Method, row.Host, row.Path)
		fmt.Fprintf(&b, "  %s: %s\n", row.Code, row.Reason)
		for _, line := range [][2]string{
			{"required", row.Required}, {"missing", strings.Join(row.Missing, " ")}, {"found", row.Found}, {"by", strings.Join(row.Callers, ", ")}, {"to pass", row.Remedy},
		} {
			if line[1] != "" {
				fmt.Fprintf(&b, "  %-8s  %s\n", line[0], line[1])
			}
		}
		b.WriteByte('\n')
	}
	if s.Left > 0 {
		fmt.Fprintf(&b, "%d more requests in other rows\n", s.Left)
	}
	where := "in this log"
	if !s.Since.IsZero() {
		where = "at gates with report_only since " + s.Since.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(&b, "%s: %d requests, admitted %s: %d\n", verb, s.Requests, where, s.Admitted)
	printable := func(c rune) rune { // what clients sent must not steer a terminal
		if c != '\n' && !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}
	_, err := io.WriteString(w, strings.Map(printable, b.String()))
	return err
}
