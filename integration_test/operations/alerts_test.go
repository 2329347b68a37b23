package operations

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// selector is a counter in an alert: its name, a label, `=` or `=~`, and the value.
var selector = regexp.MustCompile(`(caddy_auth_\w+_total)\{(\w+)(=~?)"([^"]+)"\}`)

// TestSeriesFromTheStart wants the series before the first request: to Prometheus
// a series that appears with the value 1 has not increased.
func TestSeriesFromTheStart(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, strings.ReplaceAll(everything(p), "corp", "unheard"))
	exists := func(t *testing.T, name string, labels ...string) {
		t.Helper()
		for _, metric := range metrics(t, s)[name].GetMetric() {
			missing := len(labels)
			for _, label := range metric.GetLabel() {
				for _, want := range labels {
					if want == label.GetName()+"="+label.GetValue() {
						missing--
					}
				}
			}
			if missing == 0 {
				if value := metric.GetCounter().GetValue(); labels[0] == "scheme=unheard" && labels[1] != "result=ok" && value != 0 {
					t.Errorf("%s%v is %g", name, labels, value)
				}
				return
			}
		}
		t.Errorf("no series %s%v", name, labels)
	}
	t.Run("each counter of an alert", func(t *testing.T) {
		alerts, err := os.ReadFile("../../docs/operations/alerts.yml")
		if err != nil {
			t.Fatal(err)
		}
		counters := selector.FindAllStringSubmatch(string(alerts), -1)
		if with := strings.Count(string(alerts), "_total{"); len(counters) < 5 || len(counters) != with {
			t.Fatalf("read %d of %d counters with labels", len(counters), with)
		}
		for _, counter := range counters {
			for value := range strings.SplitSeq(counter[4], "|") {
				labels := "scheme=unheard"
				if counter[1] == "caddy_auth_security_events_total" {
					labels = "transmitter=" + harness.Issuer
				}
				exists(t, counter[1], labels, counter[2]+"="+value)
			}
		}
	})
	t.Run("each code of each scheme, and of none", func(t *testing.T) {
		for _, scheme := range []string{"unheard", "ops", "inline", "twice", "none"} {
			exists(t, "caddy_auth_decisions_total", "scheme="+scheme, "decision=admitted", "code=")
			for _, code := range authn.Codes() {
				exists(t, "caddy_auth_decisions_total", "scheme="+scheme, "decision=denied", "code="+string(code))
			}
		}
	})
}
