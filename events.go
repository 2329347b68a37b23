package requireauth

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/excorp/caddy-require-auth/authn"
)

// The names of the events, see docs/operations.md.
const (
	eventDenied     = "auth_denied"
	eventKeysFailed = "auth_keys_failed"
	eventRevoked    = "auth_revoked"
	eventUndone     = "auth_revocation_undone"
)

// emitter tells other modules what happens, by Caddy's events.
type emitter struct {
	ctx    caddy.Context // of the module that is named as the origin
	events *caddyevents.App
}

func newEmitter(ctx caddy.Context) (emitter, error) {
	events, err := ctx.App("events")
	if err != nil {
		return emitter{}, fmt.Errorf("loading the app events: %w", err)
	}
	return emitter{ctx: ctx, events: events.(*caddyevents.App)}, nil
}

// emit tells of an event, whose data are put together only if somebody listens.
func (e emitter) emit(name string, data func() map[string]any) {
	if e.events.ShouldEmit(name) {
		e.events.Emit(e.ctx, name, data())
	}
}

// observe has everybody who may know hear of a decision: the log, the metrics and
// whoever listens to events.
func (g *RequireAuth) observe(state *requestState, r *http.Request, d decision) {
	if state.explained != nil {
		state.explained.addGate(g, state, d)
		return
	}
	count(d)
	g.record(state, r, d)
	if !d.Allowed {
		g.events.emit(eventDenied, func() map[string]any { return g.deniedData(state, r, d) })
	}
}

// deniedData says of a denial what the log does. No part of a credential is in
// it, and no query.
func (g *RequireAuth) deniedData(state *requestState, r *http.Request, d decision) map[string]any {
	method, path := requestLine(r)
	data := map[string]any{
		"code":      string(d.Code),
		"status":    g.statusOf(d),
		"scheme":    "",
		"user_id":   "",
		"trace_id":  state.traceID(g.app, r),
		"client_ip": "",
		"method":    method,
		"path":      path,
	}
	if client := authn.AddressOf(r); client != "" && client != authn.SubRequests {
		data["client_ip"] = client
	}
	if d.scheme != nil {
		data["scheme"] = d.scheme.name
	}
	if identity := d.outcome.Identity; identity != nil {
		data["user_id"] = identity.ID
	}
	return data
}

// observeFetches has failed fetches of keys told.
func (a *App) observeFetches() {
	for _, scheme := range a.inventory.all() {
		observed, ok := scheme.Scheme.(authn.FetchObserved)
		if !ok {
			continue
		}
		a.stopObservers = append(a.stopObservers, observed.OnFetchFailed(func(failure authn.FetchFailure) {
			a.events.emit(eventKeysFailed, func() map[string]any {
				return map[string]any{"scheme": scheme.name, "from": failure.From, "reason": failure.Reason, "keys": failure.Keys}
			})
		}))
	}
}
