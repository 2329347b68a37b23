package operations

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// metrics are the families that begin with caddy_auth_.
func metrics(t *testing.T, s *harness.Server) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(strings.NewReader(s.Do("GET", s.AdminURL("/metrics")).Body))
	if err != nil {
		t.Fatal(err)
	}
	for name := range byName {
		if !strings.HasPrefix(name, "caddy_auth_") {
			delete(byName, name)
		}
	}
	return byName
}

// value sums what has these labels, written name=value.
func value(t *testing.T, s *harness.Server, name string, labels ...string) float64 {
	t.Helper()
	total := 0.0
	for _, metric := range metrics(t, s)[name].GetMetric() {
		var all []string
		for _, label := range metric.GetLabel() {
			all = append(all, label.GetName()+"="+label.GetValue())
		}
		if slices.ContainsFunc(labels, func(label string) bool { return !slices.Contains(all, label) }) {
			continue
		}
		total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return total
}

func TestMetrics(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, everything(p))
	good := p.Token(harness.Claims{"scope": "admin"})
	for _, test := range []struct {
		name   string
		ask    func() *harness.Response
		status int
		labels []string
	}{
		{"admitted", func() *harness.Response { return s.Get("/admin/x", harness.Bearer(good)) }, 200, []string{"scheme=corp", "decision=admitted", "code="}},
		{"nothing presented", func() *harness.Response { return s.Get("/admin/x") }, 401, []string{"scheme=none", "decision=denied", "code=missing_credentials"}},
		{"too little scope", func() *harness.Response { return s.Get("/admin/x", harness.Bearer(p.Token())) }, 403, []string{"scheme=corp", "decision=denied", "code=insufficient_scope"}},
		{"a wrong password", func() *harness.Response { return s.Get("/shared/x", harness.Basic("alice", "wrong-"+password)) }, 401, []string{"scheme=ops", "decision=denied", "code=invalid_credentials"}},
		{"a scheme in place", func() *harness.Response { return s.Get("/place/x", harness.Bearer(harness.Token(t))) }, 200, []string{"scheme=inline", "decision=admitted"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := value(t, s, "caddy_auth_decisions_total", test.labels...)
			if got := test.ask(); got.Status != test.status {
				t.Fatalf("status %d\n%s", got.Status, got.Body)
			}
			if got := value(t, s, "caddy_auth_decisions_total", test.labels...); got != before+1 {
				t.Errorf("counted %g, before %g", got, before)
			}
		})
	}
	t.Run("how long it took", func(t *testing.T) {
		cached, local := []string{"scheme=corp", "source=cache"}, []string{"scheme=corp", "source=local"}
		beforeCached, beforeLocal := value(t, s, "caddy_auth_verify_duration_seconds", cached...), value(t, s, "caddy_auth_verify_duration_seconds", local...)
		s.Get("/admin/x", harness.Bearer(good))
		s.Get("/admin/x", harness.Bearer(p.Token(harness.Claims{"jti": "new"})))
		if got := value(t, s, "caddy_auth_verify_duration_seconds", cached...) - beforeCached; got != 1 {
			t.Errorf("%g from the cache", got)
		}
		if got := value(t, s, "caddy_auth_verify_duration_seconds", local...) - beforeLocal; got != 1 {
			t.Errorf("%g verified", got)
		}
	})
	t.Run("state", func(t *testing.T) {
		if got := value(t, s, "caddy_auth_cache_entries", "scheme=corp"); got < 2 {
			t.Errorf("%g entries", got)
		}
		if got := value(t, s, "caddy_auth_keys_age_seconds", "scheme=corp"); got <= 0 || got > 60 {
			t.Errorf("keys of %g s", got)
		}
		if got := value(t, s, "caddy_auth_store_up"); got != 1 {
			t.Errorf("store up %g", got)
		}
		p.Answer(serveError)
		post(s, "/auth/schemes/corp/refresh", "")
		if got := value(t, s, "caddy_auth_key_refresh_total", "scheme=corp", "result=error"); got < 1 {
			t.Errorf("%g failures", got)
		}
		if got := value(t, s, "caddy_auth_key_refresh_total", "scheme=corp", "result=ok"); got != 1 {
			t.Errorf("%g fetches", got)
		}
	})
	t.Run("a reload forgets nothing that was counted", func(t *testing.T) {
		labels := []string{"scheme=corp", "decision=admitted"}
		before := value(t, s, "caddy_auth_decisions_total", labels...)
		s.Reload(strings.Replace(everything(p), "respond ok", "respond again", 1))
		if got := value(t, s, "caddy_auth_decisions_total", labels...); got != before || before == 0 {
			t.Errorf("%g, before %g", got, before)
		}
	})
	t.Run("what gates with schemes of one name share counts once", func(t *testing.T) {
		gate := func(path string) string {
			return "require_auth " + path + " {\nbearer twin {\nissuer " + harness.Issuer + "\naudience " + harness.Audience + "\njwks " + p.KeySet() + "?key=some-secret-nobody-may-see\n}\n}\n"
		}
		s.Reload(strings.Replace(everything(p), "respond ok", gate("/one")+gate("/two")+"respond ok", 1))
		for _, labels := range [][2]string{{"caddy_auth_cache_entries"}, {"caddy_auth_key_refresh_total", "result=ok"}, {"caddy_auth_key_refresh_total", "result=error"}} {
			name, more := labels[0], slices.DeleteFunc([]string{labels[1]}, func(label string) bool { return label == "" })
			want := value(t, s, name, append(more, "scheme=corp")...)
			if got := value(t, s, name, append(more, "scheme=twin")...); got != want || want == 0 {
				t.Errorf("%s %v: %g, for one gate %g", name, more, got, want)
			}
		}
	})
	t.Run("docs/operations/metrics.txt says which metrics there are", func(t *testing.T) {
		// The series of a document exists where a gate goes by one.
		path := filepath.Join(t.TempDir(), "openapi.json")
		document := `{"openapi": "3.1.0", "paths": {"/x": {"get": {}}}}`
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Reload(strings.Replace(everything(p), "respond ok", "require_auth /documented ops {\nopenapi "+path+"\n}\nrespond ok", 1))
		var lines []string
		for name, metric := range metrics(t, s) {
			line := name + " " + strings.ToLower(metric.GetType().String())
			for _, label := range metric.GetMetric()[0].GetLabel() {
				line += " " + label.GetName()
			}
			lines = append(lines, line+"\n")
		}
		slices.Sort(lines)
		content, err := os.ReadFile("../../docs/operations/metrics.txt")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lines, ""); got != string(content) {
			t.Errorf("there are\n%s", got)
		}
	})
	t.Run("labels are constants and configured names", func(t *testing.T) {
		s.Get("/admin/x", harness.Bearer(p.Token(harness.Claims{"sub": "mallory-the-subject", "iss": "https://mallory.example"})), harness.Header("X-Trace-Id", "mallory"))
		byName := metrics(t, s)
		if len(byName) != 9 {
			t.Errorf("%d metrics", len(byName))
		}
		for name, metric := range byName {
			if text := metric.String(); strings.Contains(text, "mallory") {
				t.Errorf("%s: %s", name, text)
			}
		}
	})
}

func TestSecretsStayHidden(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, everything(p))
	token := p.Token(harness.Claims{"scope": "admin"})
	harness.Eventually(t, "the keys", func() bool { return p.Fetches.Load() == 1 })
	p.Answer(serveError)
	s.Get("/admin/x?access_token=" + token)
	s.Get("/admin/x", harness.Bearer(token))
	s.Get("/admin/x", harness.Bearer(token+"x"))
	s.Get("/shared/x", harness.Basic("alice", password))
	s.Get("/shared/x", harness.Basic("alice", "wrong-"+password))
	s.Get("/shared/x", harness.Header("X-API-Key", apiKey))
	s.Get("/shared/x", harness.Bearer("opaque-some-secret-nobody-may-see"))
	post(s, "/auth/revocations", `{"token": "`+token+`"}`)
	post(s, "/auth/schemes/corp/refresh", "")
	signature := token[strings.LastIndexByte(token, '.')+1:]
	for _, path := range []string{"/auth/schemes", "/auth/schemes/corp", "/auth/schemes/shared", "/auth/schemes/ops", "/auth/schemes/partners", "/auth/revocations", "/metrics"} {
		body := s.Do(http.MethodGet, s.AdminURL(path)).Body
		for _, secret := range []string{token, signature, password, apiKey, harness.Secret, "some-secret-nobody-may-see", "$2a$", "644c122906ee"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells %s", path, secret)
			}
		}
	}
}
