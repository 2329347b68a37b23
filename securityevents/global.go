package securityevents

import (
	"errors"
	"net/http"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// revokeGlobally answers a request of Global Token Revocation: it revokes all tokens of
// a subject that were issued until now (draft-parecki-oauth-global-token-revocation).
func (h *Handler) revokeGlobally(w http.ResponseWriter, r *http.Request, body []byte, record record) error {
	t := h.receiver.revokerOf(r.Header.Get("Authorization"))
	if t == nil {
		_ = record.write(refused, refuse(authenticationFailed, "the bearer token is not that of global_revocation"))
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	record.transmitter = t.Issuer
	result, err := t.revokeSubject(r, body)
	_ = record.write(result, err)
	denial, ok := errors.AsType[refusal](err)
	switch {
	case result == ignored:
		w.WriteHeader(http.StatusUnprocessableEntity)
		return nil
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case !ok:
		return later(w, err)
	case denial.code == accessDenied:
		return problem(w, http.StatusForbidden, map[string]string{"error": denial.code, "error_description": denial.Error()})
	}
	return problem(w, http.StatusBadRequest, map[string]string{"error": denial.code, "error_description": denial.Error()})
}

// revokerOf returns the transmitter whose bearer token a request has, or nil. It
// compares all of them.
func (r *Receiver) revokerOf(authorization string) (found *Transmitter) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	for _, t := range r.transmitters {
		if equal(token, t.GlobalRevocation) && t.GlobalRevocation != "" {
			found = t
		}
	}
	return found
}

func (t *Transmitter) revokeSubject(r *http.Request, body []byte) (result string, reason error) {
	members, err := strictjson.Object(body)
	if err != nil {
		return refused, refusal{invalidRequest, err}
	}
	named, err := t.subjects.read(members["sub_id"])
	switch {
	case err != nil:
		return refused, err
	case len(named) == 0:
		return ignored, errors.New("the subject names no user, session or token")
	}
	return t.revoke(r.Context(), named, t.now())
}
