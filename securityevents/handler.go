package securityevents

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler is the endpoint to which the transmitters of the app `auth` push their
// security events (RFC 8935). It answers every request itself and accepts an event only
// by its signature, so no gate is needed.
//
// An event is answered with 202 once its revocations are published, also if it was
// received before or names a subject that no token has. 400 and a code of RFC 8935 §2.4
// refuse it. 503 asks the transmitter to send it again: the keys of the transmitter or
// the store are unavailable.
//
// A transmitter with `global_revocation` can also send requests of Global Token
// Revocation here (draft-parecki-oauth-global-token-revocation).
type Handler struct {
	receiver *Receiver
	flights  *fairness.FairQuota
	logger   *zap.Logger
}

// Host is the app that declares transmitters.
type Host interface{ SecurityEventReceiver() *Receiver }

const (
	contentType = "application/secevent+jwt"
	// bodyTime is how long a body may take to arrive.
	bodyTime = 10 * time.Second
	// maxFlights bounds the events that are handled at once.
	maxFlights = 64
)

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_events",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision finds the transmitters.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.flights = fairness.NewFairQuota(maxFlights)
	app, err := ctx.App("auth")
	if err != nil {
		return fmt.Errorf("loading the app auth: %w", err)
	}
	if host, ok := app.(Host); ok {
		h.receiver = host.SecurityEventReceiver()
	}
	if h.receiver == nil || len(h.receiver.transmitters) == 0 {
		return errors.New("auth_events has no transmitter: add `security_events <issuer> { audience … }` to the global option `auth`")
	}
	h.receiver.endpoint.Store(true)
	return nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	address := clientaddress.Of(r)
	record := record{logger: h.logger, delivery: "push", client: address}
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		_ = record.write(refused, errEarly)
		w.WriteHeader(http.StatusTooEarly) // RFC 8470 §3
		return nil
	}
	client := clientaddress.Network(address)
	if !h.flights.TryAcquire(client) {
		return answer(w, record.write(unavailable, errBusy))
	}
	defer h.flights.Release(client)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != contentType && media != "application/json" {
		return answer(w, record.write(refused, refuse(invalidRequest, "the content type is not %s", contentType)))
	}
	body, err := readBody(w, r)
	if err != nil {
		return answer(w, record.write(refused, err))
	}
	if media == contentType {
		return answer(w, h.receiver.push(r.Context(), string(body), r.Header.Get("Authorization"), record))
	}
	record.delivery = globalRevocation
	return h.revokeGlobally(w, r, body, record)
}

var (
	errBusy  = errors.New("too many events at once")
	errEarly = errors.New("the event came in early data, which can be a replay")
)

// readBody reads a body of bounded size in a bounded time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, fmt.Errorf("the time for the body cannot be bounded: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSET+1))
	switch {
	case err != nil:
		return nil, refuse(invalidRequest, "the body did not arrive")
	case len(body) > maxSET:
		return nil, refuse(invalidRequest, "the body is over %d bytes", maxSET)
	}
	return body, nil
}

// answer writes the answer of RFC 8935 §2.2 to §2.4.
func answer(w http.ResponseWriter, err error) error {
	denial, ok := errors.AsType[refusal](err)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
		return nil
	case !ok:
		return later(w, err)
	}
	return problem(w, http.StatusBadRequest, map[string]string{"err": denial.code, "description": denial.Error()})
}

// later asks for the same request again.
func later(w http.ResponseWriter, err error) error {
	wait := time.Second
	if outage, ok := errors.AsType[*idp.UnavailableError](err); ok {
		wait = outage.RetryAfter
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	w.WriteHeader(http.StatusServiceUnavailable)
	return nil
}

func problem(w http.ResponseWriter, status int, members map[string]string) error {
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(status)
	_, err = w.Write(text)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
