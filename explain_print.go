package requireauth

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
)

// print writes an explanation for people.
func (e *Explanation) print(to io.Writer) error {
	var out strings.Builder
	if e.Request != "" {
		fmt.Fprintf(&out, "%s\n  server %s\n", e.Request, e.Server)
	}
	for i, gate := range e.Gates {
		gate.print(&out, i+1)
	}
	for _, scheme := range e.Schemes {
		fmt.Fprintf(&out, "\nscheme %s\n", scheme.Scheme)
		scheme.print(&out)
		fmt.Fprintf(&out, "  %s\n", because(scheme.Verdict, scheme.Why))
	}
	if e.Request != "" && len(e.Gates) == 0 {
		out.WriteString("\nno gate\n")
	}
	if len(e.Skipped) > 0 {
		fmt.Fprintf(&out, "\nnot run: %s\n", strings.Join(e.Skipped, ", "))
	}
	if e.Reaches != "" {
		fmt.Fprintf(&out, "\nreaches %s\n", e.Reaches)
	}
	if e.Answer != nil {
		e.Answer.print(&out)
	}
	for line := range strings.Lines(strings.TrimLeft(out.String(), "\n")) {
		if _, err := fmt.Fprintln(to, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func (g GateExplanation) print(out *strings.Builder, number int) {
	fmt.Fprintf(out, "\ngate %d %s\n", number, g.Config)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	accepts := strings.Join(g.Accepts, " ")
	if g.Optional {
		accepts += ", or an anonymous caller"
	}
	_, _ = fmt.Fprintf(table, "  accepts\t%s\n", accepts)
	if g.Required != "" {
		_, _ = fmt.Fprintf(table, "  requires\t%s\n", g.Required)
	}
	if g.Credential != "" {
		_, _ = fmt.Fprintf(table, "  found\t%s\n", g.Credential)
	}
	_ = table.Flush() // to memory
	g.SchemeExplanation.print(out)
	decision := g.Decision
	if g.Code != "" {
		decision += fmt.Sprintf(" with %d %s", g.Status, g.Code)
	}
	fmt.Fprintf(out, "  %s\n", because(decision, g.Reason))
}

func (s SchemeExplanation) print(out *strings.Builder) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, check := range s.Checks {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", check.Result, check.Scheme, check.Check, check.Detail)
	}
	_ = table.Flush() // to memory
	if s.Caller != nil {
		fmt.Fprintf(out, "  %s\n", s.Caller)
	}
}

// String says who it is in one line.
func (c *Caller) String() string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"user", c.User}, {"client", c.Client}, {"of", c.Issuer},
		{"scopes", strings.Join(c.Scopes, " ")}, {"roles", strings.Join(c.Roles, " ")},
	} {
		if part.value != "" {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	return strings.Join(parts, ", ")
}

func because(sentence, reason string) string {
	if reason == "" {
		return sentence
	}
	return sentence + ": " + reason
}

func (a *Answer) print(out *strings.Builder) {
	fmt.Fprintf(out, "\nanswer\n  %d %s\n", a.Status, http.StatusText(a.Status))
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		for _, value := range a.Header[name] {
			fmt.Fprintf(out, "  %s: %s\n", name, value)
		}
	}
	if a.Body != "" {
		fmt.Fprintf(out, "\n%s\n", strings.TrimRight(a.Body, "\n"))
	}
}

var _ fmt.Stringer = (*Caller)(nil)
