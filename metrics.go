package requireauth

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/securityevents"
)

// The names of the metrics, see docs/operations.md.
const (
	metricDecisions = "caddy_auth_decisions_total"
	metricVerify    = "caddy_auth_verify_duration_seconds"
	metricCache     = "caddy_auth_cache_entries"
	metricRefreshes = "caddy_auth_key_refresh_total"
	metricKeysAge   = "caddy_auth_keys_age_seconds"
	metricStoreUp   = "caddy_auth_store_up"
	metricOpenAPI   = "caddy_auth_openapi_current"
	metricRevoked   = "caddy_auth_revocations_total"
	metricStreams   = "caddy_auth_streams"
)

// noScheme is the label for a decision without a scheme: nothing was presented,
// or what was presented is ambiguous.
const noScheme = "none"

// The counters belong to the process and are registered with each configuration,
// because each has its own registry. Labels are constants and configured names, never
// anything out of a request.
var (
	decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: metricDecisions,
		Help: "Decisions of gates, by scheme, by decision (admitted, denied or would_deny) and by the code of the answer.",
	}, []string{"scheme", "decision", "code"})

	verifications = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: metricVerify,
		Help: "How long verifying a credential took, by where the answer came from: cache, local or remote.",
		// From a remembered token to an endpoint that hardly answers.
		Buckets: []float64{1e-6, 2.5e-6, 1e-5, 5e-5, 2.5e-4, 1e-3, 5e-3, 25e-3, 0.1, 0.5, 2.5, 10},
	}, []string{"scheme", "source"})
)

// openStreams counts the responses that end with their credential.
var openStreams = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: metricStreams,
	Help: "Responses that are running at gates with end_streams.",
}, []string{"scheme"})

// revocationChanges counts the revocations and their undoing at this instance.
var revocationChanges = newRevocationChanges()

// revocationActions are the values of the label action, by event.
var revocationActions = map[string]string{eventRevoked: "revoke", eventUndone: "undo"}

func newRevocationChanges() *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: metricRevoked,
		Help: "Revocations that began or ended at this instance, by action: revoke or undo.",
	}, []string{"action"})
	for _, action := range revocationActions {
		vec.WithLabelValues(action) // from the start, so that the first one is an increase
	}
	return vec
}

// schemeMetrics are the children of the metrics for one scheme, so that a
// request that is let in looks up no labels.
type schemeMetrics struct {
	cache, local, remote prometheus.Observer
	decided              decisionCounters
	streams              func() prometheus.Gauge // there from the first stream on
}

// metricsByScheme are those in use.
var metricsByScheme sync.Map

func metricsOf(scheme string) *schemeMetrics {
	if existing, found := metricsByScheme.Load(scheme); found {
		return existing.(*schemeMetrics)
	}
	stored, _ := metricsByScheme.LoadOrStore(scheme, &schemeMetrics{
		cache:   verifications.WithLabelValues(scheme, string(authn.SourceCache)),
		local:   verifications.WithLabelValues(scheme, string(authn.SourceLocal)),
		remote:  verifications.WithLabelValues(scheme, string(authn.SourceRemote)),
		decided: newDecisionCounters(scheme),
		streams: sync.OnceValue(func() prometheus.Gauge { return openStreams.WithLabelValues(scheme) }),
	})
	return stored.(*schemeMetrics)
}

// observeVerify counts a verification. A source that this package does not know counts
// as local: the label must not be for others to choose.
func (m *schemeMetrics) observeVerify(source authn.Source, duration time.Duration) {
	var observer prometheus.Observer
	switch source {
	case authn.SourceCache:
		observer = m.cache
	case authn.SourceRemote:
		observer = m.remote
	default:
		observer = m.local
	}
	observer.Observe(duration.Seconds())
}

// decisionCounters count the decisions by one scheme, or by none.
type decisionCounters struct {
	admitted  prometheus.Counter
	denied    *prometheus.CounterVec // by code
	wouldDeny *prometheus.CounterVec // by code, of gates with report_only
}

// newDecisionCounters creates the series of each code, because an increase from
// no series to 1 is not an increase to Prometheus.
func newDecisionCounters(scheme string) decisionCounters {
	by := func(decision string) *prometheus.CounterVec {
		return decisions.MustCurryWith(prometheus.Labels{"scheme": scheme, "decision": decision})
	}
	counters := decisionCounters{admitted: decisions.WithLabelValues(scheme, admitted, ""), denied: by(denied), wouldDeny: by(wouldDeny)}
	for _, code := range authn.Codes() {
		counters.denied.WithLabelValues(string(code))
	}
	return counters
}

var decidedByNone = newDecisionCounters(noScheme)

// count counts a decision. A code that no constant names is counted as a fault
// of the server, which is how it is answered.
func count(d *decision, reportOnly bool) {
	counters := &decidedByNone
	if d.scheme != nil {
		counters = &d.scheme.metrics.decided
	}
	denials := counters.denied
	if reportOnly {
		denials = counters.wouldDeny
	}
	switch {
	case d.Allowed:
		counters.admitted.Inc()
	case d.Code.Known():
		denials.WithLabelValues(string(d.Code)).Inc()
	default:
		denials.WithLabelValues(string(authn.CodeInternal)).Inc()
	}
}

// registerMetrics puts the metrics on the registry of a configuration.
func (a *App) registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	var failures []error
	for _, collector := range []prometheus.Collector{decisions, verifications, revocationChanges, openStreams, securityevents.Collector(), gauges{a}} {
		failures = append(failures, registry.Register(collector))
	}
	return errors.Join(failures...)
}

// gauges collect the present state of an app.
type gauges struct{ app *App }

var (
	cacheEntries   = prometheus.NewDesc(metricCache, "How many verified credentials are remembered, about.", []string{"scheme"}, nil)
	keyRefreshes   = prometheus.NewDesc(metricRefreshes, "Fetches of keys, by result: ok or error.", []string{"scheme", "result"}, nil)
	keysAge        = prometheus.NewDesc(metricKeysAge, "How long ago the oldest keys in use were fetched.", []string{"scheme"}, nil)
	storeUp        = prometheus.NewDesc(metricStoreUp, "Whether the state is shared with the other instances: 0 while the store is out of reach.", nil, nil)
	openapiCurrent = prometheus.NewDesc(metricOpenAPI, "Whether the latest version of an OpenAPI document is in use: 0 while it cannot be used.", []string{"document"}, nil)
)

// Describe names the metrics.
func (gauges) Describe(out chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{cacheEntries, keyRefreshes, keysAge, storeUp, openapiCurrent} {
		out <- description
	}
}

// Collect collects the state. Schemes that gates declare in place under one name
// are one to the metrics: entries and fetches add up, and the oldest keys count. What
// they share counts once.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	for name, sum := range g.app.aggregate() {
		if sum.remembers {
			out <- prometheus.MustNewConstMetric(cacheEntries, prometheus.GaugeValue, float64(sum.entries), name)
		}
		if sum.fetches {
			out <- prometheus.MustNewConstMetric(keyRefreshes, prometheus.CounterValue, float64(sum.ok), name, "ok")
			out <- prometheus.MustNewConstMetric(keyRefreshes, prometheus.CounterValue, float64(sum.failed), name, "error")
		}
		if sum.fetched {
			out <- prometheus.MustNewConstMetric(keysAge, prometheus.GaugeValue, sum.age, name)
		}
	}
	for name, current := range g.app.registry.documents() {
		value := 0.0
		if current {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(openapiCurrent, prometheus.GaugeValue, value, name)
	}
	up := 0.0
	if g.app.storeHealthy() {
		up = 1
	}
	out <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, up)
}

// sum is what the schemes of one name have together.
type sum struct {
	remembers, fetches, fetched bool

	entries    int
	ok, failed uint64
	age        float64

	counted map[string]bool // what the schemes share
}

func (a *App) aggregate() map[string]sum {
	totals := make(map[string]sum)
	for _, scheme := range a.registry.allSchemes() {
		reporter, ok := scheme.Scheme.(report.Reporter)
		if !ok {
			continue
		}
		total, report := totals[scheme.name], reporter.Report()
		total.add(report)
		totals[scheme.name] = total
	}
	return totals
}

// isNew reports whether a shared thing was not counted before. An empty name stands for a
// thing that is not shared.
func (s *sum) isNew(shared string) bool {
	if shared == "" {
		return true
	}
	if s.counted == nil {
		s.counted = make(map[string]bool)
	}
	before := s.counted[shared]
	s.counted[shared] = true
	return !before
}

func (s *sum) add(report report.Report) {
	if report.CacheEntries != nil && s.isNew(report.Cache) {
		s.remembers = true
		s.entries += *report.CacheEntries
	}
	if report.Introspection != nil && s.isNew(report.Introspection.Client) {
		s.remembers = true
		s.entries += report.Introspection.CacheEntries
	}
	for _, source := range report.KeySources {
		if source.Fetches == nil || !s.isNew(source.Set) {
			continue
		}
		s.fetches = true
		s.ok, s.failed = s.ok+source.Fetches.OK, s.failed+source.Fetches.Error
		if !source.FetchedAt.IsZero() {
			s.fetched, s.age = true, max(s.age, source.Age)
		}
	}
}
