package securityevents

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is the name of the metric, see docs/operations.md.
const metric = "caddy_auth_security_events_total"

// received counts events. It belongs to the process. Labels are constants and
// configured names, never anything out of an event.
var received = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: metric,
	Help: "Security events, by transmitter, by event and by result: accepted, ignored, duplicate, refused or unavailable.",
}, []string{"transmitter", "event", "result"})

// Collector collects the metrics of this package.
func Collector() prometheus.Collector { return received }

// noTransmitter is the label for an event of an issuer that is not configured.
const noTransmitter = "none"

// count creates the series of a transmitter, so that the first event is an increase.
func count(transmitter string) {
	events := slices.Concat(slices.Collect(maps.Values(revoking)), []string{verification, streamUpdated, otherEvent, globalRevocation})
	for _, event := range events {
		for _, result := range []string{accepted, ignored, duplicate, refused, unavailable} {
			received.WithLabelValues(transmitter, event, result)
		}
	}
	for _, from := range []string{transmitter, noTransmitter} {
		received.WithLabelValues(from, noEvent, refused)
	}
	received.WithLabelValues(transmitter, noEvent, unavailable)
}
