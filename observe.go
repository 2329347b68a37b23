package requireauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/excorp/caddy-require-auth/authn"
)

// record writes the one log record of a decision. It is the only place where
// the cause of a denial is told; no part of a credential is in it.
func (g *RequireAuth) record(state *requestState, r *http.Request, d decision) {
	level, decision := zapcore.InfoLevel, "denied"
	if d.Allowed {
		level, decision = zapcore.DebugLevel, "admitted"
	}
	entry := g.logger.Check(level, decision)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("decision", decision),
		zap.String("trace_id", state.traceID(g.app, r)),
	}
	fields = append(fields, requestFields(r)...)
	if client := authn.AddressOf(r); client != "" && client != authn.SubRequests {
		fields = append(fields, zap.String("client_ip", client))
	}
	if d.scheme != nil {
		fields = append(fields, zap.String("scheme", d.scheme.name))
	}
	if identity := d.outcome.Identity; identity != nil {
		fields = append(fields, identityFields(identity)...)
	}
	if !d.Allowed {
		fields = append(fields, zap.String("host", authn.Printable(r.Host)))
		fields = append(fields, g.denialFields(d)...)
	}
	entry.Write(fields...)
}

func identityFields(identity *authn.Identity) []zap.Field {
	fields := []zap.Field{zap.String("user_id", identity.ID)}
	if identity.Client != "" {
		fields = append(fields, zap.String("client_id", identity.Client))
	}
	if identity.Issuer != "" {
		fields = append(fields, zap.String("issuer", identity.Issuer))
	}
	return fields
}

func (g *RequireAuth) denialFields(d decision) []zap.Field {
	fields := []zap.Field{zap.Int("status", g.statusOf(d)), zap.String("code", string(d.Code))}
	if d.Reason != nil {
		fields = append(fields, zap.String("reason", d.Reason.Error()))
		fields = append(fields, mismatchFields(d.Reason)...)
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
	mismatch, ok := errors.AsType[*authn.MismatchError](reason)
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
func (g *RequireAuth) statusOf(d decision) int {
	if g.hides(d.status()) {
		return http.StatusNotFound
	}
	return d.status()
}

func requestFields(r *http.Request) []zap.Field {
	method, path := requestLine(r)
	return []zap.Field{zap.String("method", method), zap.String("uri", path)}
}

// requestLine describes the request as the client sent it. The query is left
// out: it may hold credentials.
func requestLine(r *http.Request) (method, path string) {
	method, address := r.Method, r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		method, address = original.Method, original.URL
	}
	return method, address.EscapedPath()
}
