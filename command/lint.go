package command

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/lint"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

type lintOptions struct {
	source
	asJSON, strict bool
	allow          []string
}

// lintCommand finds valid but dangerous choices.
func lintCommand() *cobra.Command {
	var options lintOptions
	command := &cobra.Command{
		Use:   "lint",
		Short: "Finds valid but dangerous choices",
		Long: "\nFinds valid but dangerous choices in a configuration, and names the remedy.\n" +
			"A finding has the file and line of a Caddyfile, or the path in the JSON.\n\n" +
			"The exit code is 2 after a warning, with --strict also after a note.\n" +
			"--allow leaves a rule out. The rules:\n\n" + rulesText(),
		Example: `  caddy auth lint
  caddy auth lint --config caddy.json --strict --allow hmac`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.BoolVar(&options.asJSON, "json", false, "print JSON")
	flags.BoolVar(&options.strict, "strict", false, "exit with 2 for notes too")
	flags.StringSliceVar(&options.allow, "allow", nil, "a rule to leave out; may be repeated")
	return command
}

func rulesText() string {
	var b strings.Builder
	for _, rule := range lint.Rules() {
		fmt.Fprintf(&b, "  %-22s %-8s %s\n", rule.ID, rule.Level, rule.Danger)
	}
	return b.String()
}

// finding is one line of the report.
type finding struct {
	*lint.Rule
	What string `json:"what"`
	// Positions are file:line, or the path in the JSON.
	Positions []string `json:"positions"`
}

func (o *lintOptions) run(cmd *cobra.Command) (int, error) {
	if err := o.checkAllowed(); err != nil {
		return exitFailed, err
	}
	config, err := o.read()
	if err != nil {
		return exitFailed, err
	}
	location, err := config.locator()
	if err != nil {
		return exitFailed, err
	}
	code, found := exitDone, []finding{}
	for _, one := range lint.Run(config.Config) {
		if slices.Contains(o.allow, one.Rule.ID) {
			continue
		}
		found = append(found, finding{Rule: one.Rule, What: one.What, Positions: location(one)})
		if one.Rule.Level == lint.Warning || o.strict {
			code = exitFindings
		}
	}
	if o.asJSON {
		return code, writeJSON(cmd.OutOrStdout(), map[string]any{"findings": found})
	}
	return code, writeFindings(cmd.OutOrStdout(), found)
}

func (o *lintOptions) checkAllowed() error {
	for _, id := range o.allow {
		if !slices.ContainsFunc(lint.Rules(), func(r *lint.Rule) bool { return r.ID == id }) {
			return fmt.Errorf("--allow %s: unknown rule; the help lists all rules", id)
		}
	}
	return nil
}

// locator returns a function for the position of a finding. In a Caddyfile it searches
// for the text, otherwise it is the path in the JSON.
func (c *configuration) locator() (func(lint.Finding) []string, error) {
	inJSON := func(f lint.Finding) []string { return []string{f.Where} }
	if c.adapter != "caddyfile" || c.file == "-" {
		return inJSON, nil
	}
	content, err := os.ReadFile(c.file)
	if err != nil {
		return nil, err
	}
	text, err := sourcepos.Parse(c.file, content)
	if err != nil {
		return nil, err
	}
	return func(f lint.Finding) []string {
		if found := text.Find(f.Query); len(found) > 0 {
			return found
		}
		return inJSON(f)
	}, nil
}

func writeFindings(w io.Writer, found []finding) error {
	counts := map[lint.Level]int{}
	var b strings.Builder
	for _, one := range found {
		counts[one.Level]++
		fmt.Fprintf(&b, "%s: %s: %s (%s)\n\t%s.\n\t%s\n", strings.Join(one.Positions, " or "), one.Level, one.What, one.ID, sentence(one.Danger), one.Remedy)
	}
	fmt.Fprintf(&b, "%s, %s\n", number(counts[lint.Warning], "warning"), number(counts[lint.Note], "note"))
	_, err := io.WriteString(w, b.String())
	return err
}

// number returns a number with its noun, such as `2 notes`.
func number(count int, noun string) string {
	if count != 1 {
		noun += "s"
	}
	return fmt.Sprint(count, " ", noun)
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
