package requireauth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/store"
)

// Revoked is a revocation: the answer of `POST` and `DELETE /auth/revocations`,
// and a member of that of `GET`.
type Revoked struct {
	// ID names the revocation, for `DELETE /auth/revocations`.
	ID string `json:"id"`
	// Revoked is what the revocation goes by: `jti`, `sub`, `sid` or `token`. It is absent
	// if an older instance published the revocation, as are the members below.
	Revoked string `json:"revoked,omitempty"`
	store.About
	// Schemes are the names of the schemes that it concerns at this instance. Only
	// the answer of `POST` has them.
	Schemes []string `json:"schemes,omitzero"`
	// Before limits the revocation to tokens of the subject or session that were issued
	// earlier.
	Before time.Time `json:"before,omitzero"`
	// Until is when the revocation ends.
	Until time.Time `json:"until"`
	// Created is when it was published.
	Created time.Time `json:"created,omitzero"`
}

func revokedOf(entry store.Entry) Revoked {
	revoked := Revoked{
		ID: base64.RawURLEncoding.EncodeToString(entry.Key[:]), About: store.ReadAbout(entry),
		Before: entry.Before, Until: entry.Until, Created: entry.Created,
	}
	for _, named := range [][2]string{{"jti", revoked.TokenID}, {"sub", revoked.Subject}, {"sid", revoked.Session}, {"token", revoked.Digest}} {
		if named[1] != "" {
			revoked.Revoked = named[0]
			break
		}
	}
	return revoked
}

// revoke ends credentials before their time, at all instances that share the
// store.
func revoke(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "jti", "sub", "sid", "before", "token", "issuer", "scheme", "until")
	if err != nil {
		return nil, err
	}
	entry, schemes, err := app.readRevocation(r.Context(), members, time.Now())
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	if err := app.store.Publish(r.Context(), entry); err != nil {
		return nil, caddy.APIError{
			HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the revocation failed, and some instances may never hear of it: send it again",
		}
	}
	app.observeRevocation(eventRevoked, "a revocation was announced", entry)
	answer := revokedOf(entry)
	answer.Schemes = schemes
	return answer, nil
}

// undoRevocation ends a revocation early, at all instances that share the store.
func undoRevocation(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "id", "jti", "sub", "sid", "token", "issuer", "scheme")
	if err != nil {
		return nil, err
	}
	key, err := app.revocationToUndo(members)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	entry, found, err := app.store.Undo(r.Context(), key)
	if err != nil {
		return nil, caddy.APIError{
			HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the revocation still holds: its end could not be stored; send it again",
		}
	}
	if !found {
		return nil, apiError(http.StatusNotFound, errors.New("revocation not found: see GET /auth/revocations"))
	}
	app.observeRevocation(eventUndone, "a revocation was undone", entry)
	return revokedOf(entry), nil
}

// observeRevocation writes a revocation that begins or ends here to the log, the
// metrics and the events.
func (a *App) observeRevocation(event, message string, entry store.Entry) {
	revocationChanges.WithLabelValues(revocationActions[event]).Inc()
	revoked := revokedOf(entry)
	data := map[string]any{
		"id": revoked.ID, "revoked": revoked.Revoked, "jti": revoked.TokenID, "sub": revoked.Subject, "sid": revoked.Session,
		"issuer": revoked.Issuer, "scheme": revoked.Scheme, "until": revoked.Until.UTC().Format(time.RFC3339),
	}
	fields := make([]zap.Field, 0, len(data))
	for _, name := range []string{"id", "revoked", "jti", "sub", "sid", "issuer", "scheme", "until"} {
		if data[name] != "" {
			fields = append(fields, zap.Any(name, data[name]))
		}
	}
	a.logger.Info(message, fields...)
	a.events.emit(event, func() map[string]any { return data })
}
