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
func (g *RequireAuth) record(visit *visit, r *http.Request, made ruling) {
	level, decision := zapcore.InfoLevel, "denied"
	if made.Allowed {
		level, decision = zapcore.DebugLevel, "admitted"
	}
	entry := g.logger.Check(level, decision)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("decision", decision),
		zap.String("trace_id", visit.traceID(g.app, r)),
	}
	fields = append(fields, requestFields(r)...)
	if client := authn.AddressOf(r); client != "" && client != authn.SubRequests {
		fields = append(fields, zap.String("client_ip", client))
	}
	if made.scheme != nil {
		fields = append(fields, zap.String("scheme", made.scheme.name))
	}
	if identity := made.outcome.Identity; identity != nil {
		fields = append(fields, identityFields(identity)...)
	}
	if !made.Allowed {
		fields = append(fields, zap.String("host", authn.Shown(r.Host)))
		fields = append(fields, g.denialFields(made)...)
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

func (g *RequireAuth) denialFields(made ruling) []zap.Field {
	fields := []zap.Field{zap.Int("status", g.statusOf(made)), zap.String("code", string(made.Code))}
	if made.Reason != nil {
		fields = append(fields, zap.String("reason", made.Reason.Error()))
		fields = append(fields, mismatchFields(made.Reason)...)
	}
	if made.required != nil {
		if required := made.required.Describe(); required != "" {
			fields = append(fields, zap.String("required", required))
		}
	}
	if len(made.Missing) > 0 {
		fields = append(fields, zap.Strings("missing", made.Missing))
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
func (g *RequireAuth) statusOf(made ruling) int {
	if g.hides(made.status()) {
		return http.StatusNotFound
	}
	return made.status()
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
