// Package monitoring checks the files of docs/operations: that Prometheus can read
// them, and that they ask for nothing that does not exist. The file metrics.txt lists
// the metrics, and the tests of the plugin compare it with a running server.
package monitoring

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const folder = "../../docs/operations"

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// series are the labels of each series that exists; those of histograms are
// several.
func series(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	lines := bufio.NewScanner(bytes.NewReader(read(t, "metrics.txt")))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		// Labels that Prometheus adds to each sample.
		known := append(fields[2:], model.MetricNameLabel, "instance", "job")
		if fields[1] != "histogram" {
			all[fields[0]] = known
			continue
		}
		all[fields[0]+"_bucket"] = append(slices.Clip(known), "le")
		all[fields[0]+"_count"], all[fields[0]+"_sum"] = known, known
	}
	return all
}

// codes are the values that the label code may have.
var codes = []string{
	"", "missing_credentials", "invalid_request", "invalid_token", "expired_token", "revoked_token",
	"invalid_credentials", "insufficient_scope", "insufficient_role", "access_denied",
	"insufficient_user_authentication", "temporarily_unavailable", "too_many_attempts", "too_early", "invalid_dpop_proof",
	"use_dpop_nonce", "internal_error",
}

// values are those that labels of constants may have, by label or by metric and label.
var values = map[string][]string{
	"caddy_auth_security_events_total result": {"accepted", "ignored", "duplicate", "refused", "unavailable"},
	"decision": {"admitted", "denied", "would_deny"}, "source": {"cache", "local", "remote"}, "result": {"ok", "error"}, "code": codes,
}

// check reports what an expression asks for that does not exist.
func check(t *testing.T, expression string, known map[string][]string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", expression, err)
		return
	}
	asked := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			asked++
			has, exists := known[node.Name]
			if !exists {
				t.Errorf("%s: there is no %s", expression, node.Name)
				return nil
			}
			for _, matcher := range node.LabelMatchers {
				checkMatcher(t, node.Name, matcher, has)
			}
		case *parser.AggregateExpr:
			for _, label := range node.Grouping {
				if !slices.ContainsFunc(slices.Collect(maps.Values(known)), func(has []string) bool { return slices.Contains(has, label) }) {
					t.Errorf("%s: nothing has the label %s", expression, label)
				}
			}
		}
		return nil
	})
	if asked == 0 {
		t.Errorf("%s asks for nothing", expression)
	}
}

func checkMatcher(t *testing.T, name string, matcher *labels.Matcher, has []string) {
	t.Helper()
	if !slices.Contains(has, matcher.Name) {
		t.Errorf("%s has no label %s", name, matcher.Name)
	}
	constants, constant := values[name+" "+matcher.Name]
	if !constant {
		constants, constant = values[matcher.Name]
	}
	if !constant {
		return
	}
	for value := range strings.SplitSeq(matcher.Value, "|") {
		if !slices.Contains(constants, value) {
			t.Errorf("%s is never %q", matcher.Name, value)
		}
	}
}

func TestAlerts(t *testing.T) {
	groups, problems := rulefmt.Parse(read(t, "alerts.yml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, problem := range problems {
		t.Error(problem)
	}
	known, count := series(t), 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			count++
			t.Run(rule.Alert, func(t *testing.T) {
				check(t, rule.Expr, known)
				if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
					t.Error("it has to say how bad it is, what it is and what to do")
				}
			})
		}
	}
	if count < 5 {
		t.Errorf("%d alerts: were they found?", count)
	}
}

// variables are what Grafana puts in the place of its own words.
var variables = regexp.MustCompile(`\$\w+`)

func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Type  string `json:"type"`
				Query string `json:"query"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(read(t, "grafana-dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	known, shown := series(t), ""
	for _, panel := range dashboard.Panels {
		t.Run(panel.Title, func(t *testing.T) {
			for _, target := range panel.Targets {
				expression := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
				check(t, variables.ReplaceAllString(expression, ".*"), known)
				shown += expression
			}
		})
	}
	for name := range known {
		if name = strings.TrimSuffix(name, "_sum"); !strings.Contains(shown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if inner, found := strings.CutPrefix(variable.Query, "label_values("); found {
			name, label, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ", ")
			if !slices.Contains(known[name], label) {
				t.Errorf("%s: no such label", variable.Query)
			}
		}
	}
}
