package securityevents

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/store"
)

// Sink is where revocations go.
type Sink struct {
	Store store.Store
	// Published is called for each revocation that an event published.
	Published func(store.Entry)
}

// Receiver receives the events of all transmitters of a configuration.
type Receiver struct {
	transmitters []*Transmitter
	endpoint     atomic.Bool // there is an `auth_events`
	stop         context.CancelFunc
	following    sync.WaitGroup
}

// Check reports what is wrong with transmitters as they are written.
func Check(transmitters []*Transmitter) error {
	seen := make(map[string]bool)
	for _, t := range transmitters {
		if err := t.check(); err != nil {
			return err
		}
		if seen[t.Issuer] {
			return fmt.Errorf("duplicate security_events %s: keep one", t.Issuer)
		}
		seen[t.Issuer] = true
	}
	return nil
}

// Open prepares a receiver. It has to be closed, also after an error.
func Open(ctx caddy.Context, transmitters []*Transmitter, sink Sink) (*Receiver, error) {
	r := &Receiver{transmitters: transmitters}
	for _, t := range transmitters {
		if err := t.open(ctx, sink); err != nil {
			return r, err
		}
	}
	return r, Check(transmitters) // once more, with placeholders replaced
}

// Start looks after the streams of the transmitters that are polled, or that have to
// create a stream.
func (r *Receiver) Start(logger *zap.Logger) {
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background()) // ended by Stop
	for _, t := range r.transmitters {
		if t.Poll == 0 && !r.endpoint.Load() {
			logger.Warn("no event can arrive: add `auth_events <path>` to a site, or `poll` to security_events", zap.String("transmitter", t.Issuer))
		}
		if t.manages() {
			r.following.Go(func() { t.follow(ctx, logger) })
		}
	}
}

// Stop ends what Start began.
func (r *Receiver) Stop() {
	if r != nil && r.stop != nil {
		r.stop()
		r.following.Wait()
	}
}

// Close releases what outlives a configuration.
func (r *Receiver) Close() error {
	if r == nil {
		return nil
	}
	var failures []error
	for _, t := range r.transmitters {
		if t.client != nil {
			t.client.CloseIdleConnections()
		}
		if t.release != nil {
			failures = append(failures, t.release())
			t.release = nil
		}
	}
	return errors.Join(failures...)
}

// find returns the transmitter that an event names as its issuer, or nil.
func (r *Receiver) find(issuer string) *Transmitter {
	for _, t := range r.transmitters {
		if t.Issuer == issuer {
			return t
		}
	}
	return nil
}

// push handles an event that was pushed, and returns how to answer.
func (r *Receiver) push(ctx context.Context, text, authorization string, record record) error {
	s, err := parseSET(text)
	if err != nil {
		return record.write(refused, err)
	}
	t := r.find(s.issuer)
	if t == nil {
		return record.write(refused, refuse(invalidIssuer, "iss is not a transmitter of this receiver"))
	}
	record.transmitter = t.Issuer
	if !t.authenticates(authorization) {
		return record.write(refused, refuse(authenticationFailed, "the field Authorization is not that of the transmitter"))
	}
	result, err := t.handle(ctx, s)
	record.set = s
	return record.write(result, err)
}

// record writes what became of an event to the log and the metrics.
type record struct {
	logger      *zap.Logger
	delivery    string // push, poll or global
	client      string // address; empty for poll
	transmitter string
	set         *set
}

// write returns the reason if the event must not be acknowledged.
func (r record) write(result string, reason error) error {
	label, event := noEvent, ""
	if r.set != nil && r.set.event != "" {
		event = r.set.event
		label = labelOf(event)
	}
	if r.delivery == globalRevocation {
		label = globalRevocation
	}
	transmitter := r.transmitter
	if transmitter == "" {
		transmitter, label = noTransmitter, noEvent
	}
	received.WithLabelValues(transmitter, label, result).Inc()
	fields := []zap.Field{zap.String("result", result), zap.String("transmitter", transmitter), zap.String("delivery", r.delivery)}
	if event != "" {
		fields = append(fields, zap.String("event", event[:min(len(event), maxLogged)]), zap.String("jti", r.set.id[:min(len(r.set.id), maxLogged)]))
	}
	if status, ok := r.status(); ok {
		fields = append(fields, zap.String("status", status))
	}
	if r.client != "" {
		fields = append(fields, zap.String("client_ip", r.client))
	}
	if refusal, ok := errors.AsType[refusal](reason); ok {
		fields = append(fields, zap.String("code", refusal.code))
	}
	if reason != nil {
		fields = append(fields, zap.String("reason", reason.Error()))
	}
	log := r.logger.Info
	if result == unavailable {
		log = r.logger.Warn
	}
	log("security event", fields...)
	if result == refused || result == unavailable {
		return reason
	}
	return nil
}

// status is the new status of a stream.
func (r record) status() (string, bool) {
	if r.set == nil || ofStream[r.set.event] != streamUpdated {
		return "", false
	}
	status, ok := r.set.payload["status"].(string)
	return status[:min(len(status), maxLogged)], ok
}

// maxLogged bounds what a transmitter writes into a record, in bytes.
const maxLogged = 256
