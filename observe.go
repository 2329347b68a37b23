package requireauth

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/internal/denials"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// observe reports a decision to the log, the metrics and the event handlers. An
// explanation leaves no trace there.
func (g *RequireAuth) observe(state *requestState, r *http.Request, d *decision) {
	if state.explained != nil {
		state.explained.addGate(g, state, d)
		return
	}
	count(d, g.ReportOnly)
	g.record(state, r, d)
	if g.ReportOnly {
		g.summarize(r, d)
	}
	if !d.Allowed && !g.ReportOnly {
		g.events.emit(eventDenied, func() map[string]any { return g.deniedData(state, r, d) })
	}
}

// record logs a decision. Only this record has the cause of a denial; no part of a
// credential is in it.
func (g *RequireAuth) record(state *requestState, r *http.Request, d *decision) {
	level, decision := zapcore.InfoLevel, g.verdict(d)
	if d.Allowed {
		level = zapcore.DebugLevel
	}
	entry := g.logger.Check(level, decision)
	if entry == nil {
		return
	}
	record := g.recordOf(state, r, d.scheme, d.outcome.Identity)
	fields := append([]zap.Field{zap.String("decision", decision)}, record.fields()...)
	if !d.Allowed {
		fields = append(fields, zap.String("host", mismatch.Printable(r.Host)))
		fields = append(fields, g.denialFields(d)...)
	}
	entry.Write(fields...)
}

// requestRecord says in the log which request a record is about, and whose it is.
type requestRecord struct {
	traceID, method, path string
	client                string          // its address, empty for an unknown one
	scheme                string          // empty for none
	identity              *authn.Identity // nil for none
}

func (g *RequireAuth) recordOf(state *requestState, r *http.Request, scheme *namedScheme, identity *authn.Identity) requestRecord {
	record := requestRecord{traceID: state.traceID(g.app), identity: identity}
	record.method, record.path = requestLine(r)
	if client := clientaddress.Of(r); client != clientaddress.SubRequests {
		record.client = client
	}
	if scheme != nil {
		record.scheme = scheme.name
	}
	return record
}

func (r *requestRecord) fields() []zap.Field {
	fields := []zap.Field{zap.String("trace_id", r.traceID), zap.String("method", r.method), zap.String("uri", r.path)}
	optional := func(name, value string) {
		if value != "" {
			fields = append(fields, zap.String(name, value))
		}
	}
	optional("client_ip", r.client)
	optional("scheme", r.scheme)
	if r.identity != nil {
		fields = append(fields, zap.String("user_id", r.identity.ID))
		optional("client_id", r.identity.Client)
		optional("issuer", r.identity.Issuer)
	}
	return fields
}

// The decisions of a gate, as the log and the metrics have them.
const (
	admitted  = denials.Admitted
	denied    = denials.Denied
	wouldDeny = denials.WouldDeny // by a gate with report_only
)

// verdict names a decision.
func (g *RequireAuth) verdict(d *decision) string {
	switch {
	case d.Allowed:
		return admitted
	case g.ReportOnly:
		return wouldDeny
	}
	return denied
}

func (g *RequireAuth) denialFields(d *decision) []zap.Field {
	fields := []zap.Field{zap.Int("status", g.statusOf(d)), zap.String("code", string(d.Code))}
	if d.Reason != nil {
		fields = append(fields, zap.String("reason", d.Reason.Error()))
		fields = append(fields, mismatchFields(d.Reason)...)
	}
	if d.outcome.Check != "" {
		fields = append(fields, zap.String("check", d.outcome.Check))
	}
	if d.required != nil {
		if required := d.required.Describe(); required != "" {
			fields = append(fields, zap.String("required", required))
		}
	}
	if len(d.Missing) > 0 {
		fields = append(fields, zap.Strings("missing", d.Missing))
	}
	return fields
}

// mismatchFields are what was expected and what was found instead.
func mismatchFields(reason error) (fields []zap.Field) {
	mismatch, ok := errors.AsType[*mismatch.ValueError](reason)
	if !ok {
		return nil
	}
	if mismatch.Expected != "" {
		fields = append(fields, zap.String("expected", mismatch.Expected))
	}
	if mismatch.Found != "" {
		fields = append(fields, zap.String("found", mismatch.Found))
	}
	if mismatch.Off != 0 {
		fields = append(fields, zap.String("off_by", mismatch.Off.Round(time.Second).String()))
	}
	return fields
}

// statusOf is the status by which the gate answers a denial.
func (g *RequireAuth) statusOf(d *decision) int {
	if g.hides(d) {
		return http.StatusNotFound
	}
	return d.status()
}

// requestLine describes the request as the client sent it. The query is left
// out: it may hold credentials.
func requestLine(r *http.Request) (method, path string) {
	method, address := r.Method, r.URL
	if original, found := caddyrequest.Original(r); found {
		method, address = original.Method, original.URL
	}
	return method, address.EscapedPath()
}

// The names of the events, see docs/operations.md.
const (
	eventDenied     = "auth_denied"
	eventKeysFailed = "auth_keys_failed"
	eventRevoked    = "auth_revoked"
	eventUndone     = "auth_revocation_undone"
)

// emitter emits Caddy's events.
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

// emit emits an event. Its data are built only where a handler subscribes to it.
func (e emitter) emit(name string, data func() map[string]any) {
	if e.events.ShouldEmit(name) {
		e.events.Emit(e.ctx, name, data())
	}
}

// deniedData is the data of a denial, as in the log, without credentials and query.
func (g *RequireAuth) deniedData(state *requestState, r *http.Request, d *decision) map[string]any {
	record, user := g.recordOf(state, r, d.scheme, d.outcome.Identity), ""
	if record.identity != nil {
		user = record.identity.ID
	}
	return map[string]any{
		"code":      string(d.Code),
		"status":    g.statusOf(d),
		"scheme":    record.scheme,
		"user_id":   user,
		"trace_id":  record.traceID,
		"client_ip": record.client,
		"method":    record.method,
		"path":      record.path,
	}
}

// observeFetches emits an event for each failed fetch of keys.
func (a *App) observeFetches() {
	for _, scheme := range a.registry.allSchemes() {
		observed, ok := scheme.Scheme.(capability.FetchObserved)
		if !ok {
			continue
		}
		a.stopObservers = append(a.stopObservers, observed.OnFetchFailed(func(failure capability.FetchFailure) {
			a.events.emit(eventKeysFailed, func() map[string]any {
				return map[string]any{"scheme": scheme.name, "from": failure.From, "reason": failure.Reason, "keys": failure.Keys}
			})
		}))
	}
}

// traceHeader is the field that carries a trace id in and out.
const traceHeader = denial.TraceHeader

// requestID is Caddy's own id of a request, which is always there.
const requestID = "http.request.uuid"

// maxTraceID bounds a trace id, in bytes.
const maxTraceID = 128

// traceID returns the id that leads from an answer to the log. It may come
// from the client, so only a value that is harmless wherever it is printed is
// taken.
func (a *App) traceID(replacer *caddy.Replacer) string {
	for _, source := range a.TraceID {
		if id := replacer.ReplaceAll(source, ""); isTraceID(id) {
			return id
		}
	}
	id, _ := replacer.GetString(requestID)
	return id
}

// checkTraceID refuses a source without a placeholder: all requests would have
// the same id.
func checkTraceID(sources []string) error {
	for _, source := range sources {
		if !placeholder.MatchString(source) {
			return fmt.Errorf("trace_id %s: write a placeholder, such as {http.request.header.X-Trace-Id}", source)
		}
		if err := checkPlaceholders(source); err != nil {
			return fmt.Errorf("trace_id %s: %w", source, err)
		}
	}
	return nil
}

// placeholder finds what Caddy replaces.
var placeholder = regexp.MustCompile(`\{[^{}]+\}`)

func isTraceID(id string) bool {
	if id == "" || len(id) > maxTraceID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '/', c == '+', c == '@':
		default:
			return false
		}
	}
	return true
}

// The names in internal/caddyrequest must be those of Caddy. With other names, limits
// would not find the address of a client. Then this map has a key twice, and nothing is
// built.
var _ = map[bool]struct{}{
	false: {},
	caddyrequest.OriginalKey == caddyhttp.OriginalRequestCtxKey && caddyrequest.VarsKey == caddyhttp.VarsCtxKey &&
		caddyrequest.ClientIPKey == caddyhttp.ClientIPVarKey && caddyrequest.TrustedProxyKey == caddyhttp.TrustedProxyVarKey: {},
}
