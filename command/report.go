package command

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

type reportOptions struct {
	log, decision string
	asJSON        bool
	top           int
}

// reportCommand sums up what gates with report_only would deny.
func reportCommand() *cobra.Command {
	var options reportOptions
	command := &cobra.Command{
		Use:   "report",
		Short: "Sums up from the log what report_only would deny",
		Long: `
Sums up the records of gates in a log of JSON lines: which requests would be
denied, whose they are, why, and what would let them pass. Numbers and ids in
paths count as one. Lines that are no record of a gate are left out.

The exit code is 2 if a request would be denied.`,
		Example: `  caddy auth report --log /var/log/caddy/default.log
  journalctl -u caddy -o cat | caddy auth report --log -
  caddy auth report --log default.log --decision denied --json`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	flags := command.Flags()
	flags.StringVar(&options.log, "log", "", "the log; - is the standard input")
	flags.StringVar(&options.decision, "decision", "would_deny", "would_deny, or denied for requests that were denied")
	flags.IntVar(&options.top, "top", 50, "how many rows to print at most")
	flags.BoolVar(&options.asJSON, "json", false, "print JSON")
	return command
}

func (o *reportOptions) run(cmd *cobra.Command) (int, error) {
	if o.log == "" {
		return exitFailed, errors.New("write the log: --log <file>, or --log - for the standard input")
	}
	if o.decision != "would_deny" && o.decision != "denied" {
		return exitFailed, fmt.Errorf("invalid decision %q: write would_deny or denied", o.decision)
	}
	source := cmd.InOrStdin()
	if o.log != "-" {
		file, err := os.Open(o.log)
		if err != nil {
			return exitFailed, err
		}
		defer file.Close() //nolint:errcheck // nothing was written
		source = file
	}
	summed, err := sumUp(source, o.decision)
	if err != nil {
		return exitFailed, fmt.Errorf("%s: %w", o.log, err)
	}
	code := exitDone
	if summed.Requests > 0 {
		code = exitFindings
	}
	if o.asJSON {
		return code, writeJSON(cmd.OutOrStdout(), summed)
	}
	return code, summed.write(cmd.OutOrStdout(), o.top)
}

// denials are what gates would deny.
type denials struct {
	Decision string `json:"decision"`
	Requests int    `json:"requests"`
	// Admitted is how many requests the log has that were admitted. Gates log them
	// at the level DEBUG.
	Admitted int         `json:"admitted"`
	Rows     []denialRow `json:"rows"`
	// Left is how many requests are in no row, because there are too many rows.
	Left int `json:"left,omitempty"`
}

// denialRow is the requests that would be denied for one reason at one place.
type denialRow struct {
	Count    int      `json:"count"`
	Code     string   `json:"code"`
	Method   string   `json:"method"`
	Host     string   `json:"host"`
	Path     string   `json:"path"`
	Required string   `json:"required,omitempty"`
	Missing  []string `json:"missing,omitempty"`
	Reason   string   `json:"reason"`
	Found    string   `json:"found,omitempty"`
	// Callers are some of those who sent the requests, and Remedy says what would let
	// the requests pass.
	Callers []string `json:"callers"`
	Remedy  string   `json:"remedy"`
}

const (
	maxLogLine = 1 << 20
	// maxRows bounds the rows, because a client can send any path.
	maxRows = 10_000
	// maxCallers is how many callers a row names.
	maxCallers = 5
)

// sumUp reads a log of JSON lines, which may have something in front of the JSON.
func sumUp(log io.Reader, decision string) (*denials, error) {
	summed := &denials{Decision: decision, Rows: []denialRow{}}
	rows := make(map[string]*denialRow)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var record struct {
			denialRow
			Logger   string `json:"logger"`
			Decision string `json:"decision"`
			URI      string `json:"uri"`
			User     string `json:"user_id"`
			Client   string `json:"client_id"`
			Address  string `json:"client_ip"`
		}
		start := max(bytes.IndexByte(lines.Bytes(), '{'), 0)
		if json.Unmarshal(lines.Bytes()[start:], &record) != nil || !strings.HasSuffix(record.Logger, "http.handlers.require_auth") {
			continue
		}
		if record.Decision == "admitted" {
			summed.Admitted++
		}
		if record.Decision != decision {
			continue
		}
		summed.Requests++
		path, _, _ := strings.Cut(record.URI, "?")
		record.Path = identifier.ReplaceAllString(path, "/{id}$1")
		key := fmt.Sprintf("%q", []string{
			record.Code, record.Method, record.Host, record.Path, record.Required, strings.Join(record.Missing, " "), record.Found, varying.ReplaceAllString(record.Reason, ""),
		})
		row := rows[key]
		if row == nil {
			if len(rows) == maxRows {
				summed.Left++
				continue
			}
			row = &record.denialRow
			row.Remedy, row.Callers = remedyFor(*row), []string{}
			rows[key] = row
		}
		row.Count++
		caller := cmp.Or(record.User, record.Client, record.Address)
		if caller != "" && len(row.Callers) < maxCallers && !slices.Contains(row.Callers, caller) {
			row.Callers = append(row.Callers, caller)
		}
	}
	for _, row := range rows {
		summed.Rows = append(summed.Rows, *row)
	}
	slices.SortFunc(summed.Rows, func(a, b denialRow) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Host+a.Path, b.Host+b.Path), strings.Compare(a.Method+a.Code, b.Method+b.Code))
	})
	return summed, lines.Err()
}

var (
	// identifier is a segment of a path that names a thing: a number, a UUID or
	// another long one with digits.
	identifier = regexp.MustCompile(`/(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[\w-]*\d[\w-]{15,})(/|$)`)
	// varying is what differs in reasons of one kind, such as a time.
	varying = regexp.MustCompile(`\d{4}-\d\d-\d\dT\S+`)
)

// remedies say what would let a request pass, by the code of its denial.
var remedies = map[string]string{
	"missing_credentials":              "have the client send a credential, or leave the path out of the matcher of the gate",
	"invalid_request":                  "have the client send one credential only",
	"expired_token":                    "have the client renew its token; compare the clocks",
	"revoked_token":                    "have the client log in again, or undo the revocation",
	"invalid_credentials":              "correct the password or the key of the client",
	"access_denied":                    "compare the caller with the lines user, claim and if of the gate",
	"insufficient_user_authentication": "have the client log its user in again, or relax acr and max_age",
	"temporarily_unavailable":          "make the provider reachable for Caddy",
	"too_many_attempts":                "find out who tries passwords; see the line attempts",
}

// remedyFor says what would let the requests of a row pass.
func remedyFor(row denialRow) string {
	missing := strings.Join(row.Missing, " ")
	switch {
	case row.Code == "insufficient_scope":
		return fmt.Sprintf("grant the scope %s, let a scope of the caller imply it (`scope_implies <scope> %s`), or remove it from the gate", missing, missing)
	case row.Code == "insufficient_role":
		return fmt.Sprintf("grant the role %s, read roles from another claim (`role_claims`), or remove it from the gate", missing)
	case strings.Contains(row.Reason, "OpenAPI document"):
		return "add the operation to the OpenAPI document, leave the path out of the matcher of the gate, or write `undeclared allow`"
	case strings.HasPrefix(row.Reason, "iss ") && row.Found != "":
		return "accept the issuer, if it is yours: `issuer " + row.Found + "`"
	case strings.HasPrefix(row.Reason, "aud ") && row.Found != "":
		return "accept an audience of the token, if it is meant for this API: `audience …`, out of " + row.Found
	}
	return cmp.Or(remedies[row.Code], "see the code and the reason in docs/troubleshooting.md")
}

func (s *denials) write(w io.Writer, top int) error {
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
	fmt.Fprintf(&b, "%s: %d requests, admitted in this log: %d\n", verb, s.Requests, s.Admitted)
	printable := func(c rune) rune { // what clients sent must not steer a terminal
		if c != '\n' && !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}
	_, err := io.WriteString(w, strings.Map(printable, b.String()))
	return err
}
