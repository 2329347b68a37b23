package securityevents

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	defaultPoll = 5 * time.Second
	minPoll     = time.Second
	maxPoll     = time.Hour
	// maxEvents is how many events a poll requests.
	maxEvents = 100
)

// pollRequest is a request of RFC 8936 §2.2. Transmitters need not hold a request back
// until there are events, so polls return at once.
type pollRequest struct {
	MaxEvents         int               `json:"maxEvents"`
	ReturnImmediately bool              `json:"returnImmediately"`
	Ack               []string          `json:"ack,omitempty"`
	Errors            map[string]setErr `json:"setErrs,omitempty"`
}

// setErr says why an event is refused (RFC 8936 §2.6).
type setErr struct {
	Err         string `json:"err"`
	Description string `json:"description"`
}

// poll asks for events until that fails.
func (t *Transmitter) poll(ctx context.Context, api *management, endpoint string, logger *zap.Logger, onSuccess func()) error {
	var pending pollRequest
	for ctx.Err() == nil {
		pending.MaxEvents, pending.ReturnImmediately = maxEvents, true
		answer, err := api.call(ctx, http.MethodPost, endpoint, pending)
		if err != nil {
			return err
		}
		members, ok := answer.(map[string]any)
		sets, hasSets := members["sets"].(map[string]any)
		if !ok || !hasSets && members["sets"] != nil {
			return errors.New("the answer to the poll is not an object with sets (RFC 8936 §2.3)")
		}
		onSuccess()
		var progress bool
		pending, progress = t.handleAll(ctx, sets, logger)
		if !progress {
			sleep(ctx, time.Duration(t.Poll))
		}
	}
	return ctx.Err()
}

// handleAll handles the events of an answer. It returns the next request, and
// whether any event was new. An event that could not be handled comes again.
func (t *Transmitter) handleAll(ctx context.Context, sets map[string]any, logger *zap.Logger) (next pollRequest, progress bool) {
	next.Errors = make(map[string]setErr)
	for _, id := range slices.Sorted(maps.Keys(sets)) {
		s, result, err := t.handlePolled(ctx, id, sets[id])
		err = record{logger: logger, delivery: "poll", transmitter: t.Issuer, set: s}.write(result, err)
		denial, isRefused := errors.AsType[refusal](err)
		switch {
		case isRefused:
			next.Errors[id] = setErr{denial.code, denial.Error()}
		case err == nil:
			next.Ack = append(next.Ack, id)
			progress = progress || result != duplicate
		}
	}
	return next, progress
}

func (t *Transmitter) handlePolled(ctx context.Context, id string, value any) (s *set, result string, reason error) {
	text, ok := value.(string)
	if !ok {
		return nil, refused, refuse(invalidRequest, "the event is not a string")
	}
	s, err := parseSET(text)
	switch {
	case err != nil:
		return nil, refused, err
	case s.issuer != t.Issuer:
		return nil, refused, refuse(invalidIssuer, "iss is not the transmitter that was polled")
	case s.signed.Claims["jti"] != id:
		return nil, refused, refuse(invalidRequest, "jti is not the name of the event in the answer")
	}
	result, err = t.handle(ctx, s)
	return s, result, err
}
