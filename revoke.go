package requireauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// Revoked is the answer of `POST /auth/revocations`.
type Revoked struct {
	// Revoked is what the revocation goes by: `jti`, `sub` or `token`.
	Revoked string `json:"revoked"`
	// Issuer is whose tokens are meant; absent for those of any.
	Issuer string `json:"issuer,omitempty"`
	// Before is when the tokens of the subject were issued at the latest.
	Before time.Time `json:"before,omitzero"`
	// Until is when the revocation is forgotten.
	Until time.Time `json:"until"`
}

// maxAdminBody bounds the body of a request to the admin API, in bytes.
const maxAdminBody = 64 << 10

// revoke ends tokens before their time, at all instances that share the store.
func revoke(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "jti", "sub", "before", "token", "issuer", "until")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	answer, revocation, err := revocationOf(r.Context(), app, members, now)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	mark, err := revocation.Mark(now)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	if err := app.store.Announce(r.Context(), mark); err != nil {
		return nil, caddy.APIError{
			HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the revocation failed, and some instances may never hear of it: send it again",
		}
	}
	answer.Issuer, answer.Before, answer.Until = revocation.Issuer, mark.Before, mark.Until
	return answer, nil
}

// revocationOf reads a revocation. Errors name the member and repeat nothing
// of it.
func revocationOf(ctx context.Context, app *App, members map[string]any, now time.Time) (Revoked, authn.Revocation, error) {
	var (
		answer     Revoked
		revocation authn.Revocation
	)
	texts := make(map[string]string)
	for name, value := range members {
		text, ok := value.(string)
		if !ok || text == "" {
			return answer, revocation, fmt.Errorf("%s is not a string with something in it", name)
		}
		texts[name] = text
	}
	for _, name := range []string{"jti", "sub", "token"} {
		if texts[name] == "" {
			continue
		}
		if answer.Revoked != "" {
			return answer, revocation, fmt.Errorf("%s and %s are both there: give one of them", answer.Revoked, name)
		}
		answer.Revoked = name
	}
	revocation.TokenID, revocation.Subject, revocation.Issuer = texts["jti"], texts["sub"], texts["issuer"]
	for name, at := range map[string]*time.Time{"before": &revocation.Before, "until": &revocation.Until} {
		var err error
		if texts[name] == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, texts[name]); err != nil {
			return answer, revocation, fmt.Errorf("%s is no instant of RFC 3339, such as 2027-01-01T00:00:00Z", name)
		}
	}
	switch {
	case answer.Revoked == "":
		return answer, revocation, errors.New("jti, sub and token are all missing: give one of them")
	case !revocation.Before.IsZero() && answer.Revoked != "sub":
		return answer, revocation, errors.New("before goes with sub only")
	case !revocation.Until.IsZero() && !revocation.Until.After(now):
		return answer, revocation, errors.New("until is in the past")
	case answer.Revoked != "token":
		return answer, revocation, nil
	case revocation.Issuer != "":
		return answer, revocation, errors.New("issuer goes with jti and sub only: a token has one issuer")
	}
	err := app.nameToken(ctx, &revocation, texts["token"], now) // before revocation is returned as it is then
	return answer, revocation, err
}

// nameToken has a revocation mean one whole token. It may be forgotten when the
// token ends, but what a token says of that counts only if its signature is
// good.
func (a *App) nameToken(ctx context.Context, revocation *authn.Revocation, token string, now time.Time) error {
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return errors.New("token is no token: it must not have spaces or a scheme such as Bearer in front")
	}
	revocation.Digest = authn.DigestOfToken(token)
	if !revocation.Until.IsZero() {
		return nil
	}
	var latest time.Time
	for _, scheme := range a.inventory.all() {
		if revocable, ok := scheme.Scheme.(authn.Revocable); ok {
			if ends, sure := revocable.Ends(ctx, token); sure && ends.After(latest) {
				latest = ends
			}
		}
	}
	if !latest.IsZero() && !latest.After(now) {
		return errors.New("token has expired: there is nothing to revoke")
	}
	revocation.Until = latest
	return nil
}

// readMembers reads a JSON object of known members.
func readMembers(r *http.Request, known ...string) (map[string]any, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, apiError(http.StatusUnsupportedMediaType, errors.New("the body has to be of the type application/json"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAdminBody+1))
	switch {
	case err != nil:
		return nil, apiError(http.StatusBadRequest, errors.New("the body could not be read"))
	case len(body) > maxAdminBody:
		return nil, apiError(http.StatusRequestEntityTooLarge, fmt.Errorf("the body is over %d bytes", maxAdminBody))
	}
	members, err := strictjson.Object(body)
	if repeated, ok := errors.AsType[*strictjson.RepeatedError](err); ok {
		return nil, apiError(http.StatusBadRequest, fmt.Errorf("%s is there twice", sayable(repeated.Name)))
	}
	if err != nil {
		return nil, apiError(http.StatusBadRequest, fmt.Errorf("the body is no JSON object: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return nil, apiError(http.StatusBadRequest, fmt.Errorf("%s is unknown: known are %s", sayable(name), strings.Join(known, ", ")))
		}
	}
	return members, nil
}

// sayable is the name of a member as an error may repeat it, which ends up in
// the log: by a slip the name may be a token.
func sayable(name string) string {
	plain := func(c rune) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	if name == "" || len(name) > 24 || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return "a member with a strange name"
	}
	return name
}
