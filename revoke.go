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
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// maxAdminBody bounds the body of a request to the admin API, in bytes.
const maxAdminBody = 64 << 10

// revoke ends credentials before their time, at all instances that share the
// store.
func revoke(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "jti", "sub", "before", "token", "issuer", "scheme", "until")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	revocation, err := revocationOf(r.Context(), app, members, now)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	schemes, err := app.concerned(revocation)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	entry, err := revocation.Entry(now)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	if err := app.store.Publish(r.Context(), entry); err != nil {
		return nil, caddy.APIError{
			HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the revocation failed, and some instances may never hear of it: send it again",
		}
	}
	app.tellRevocation(eventRevoked, "a revocation was announced", entry)
	answer := revokedOf(entry)
	answer.Schemes = schemes
	return answer, nil
}

// revocationOf reads a revocation. Errors name the member and repeat nothing
// of it.
func revocationOf(ctx context.Context, app *App, members map[string]any, now time.Time) (authn.Revocation, error) {
	texts, err := readTexts(members)
	if err != nil {
		return authn.Revocation{}, err
	}
	revocation, err := app.readNames(texts, "jti, sub and token are all missing: give one of them")
	if err != nil {
		return revocation, err
	}
	for name, at := range map[string]*time.Time{"before": &revocation.Before, "until": &revocation.Until} {
		if texts[name] == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, texts[name]); err != nil {
			return revocation, fmt.Errorf("%s is no instant of RFC 3339, such as 2099-01-01T00:00:00Z", name)
		}
	}
	switch {
	case !revocation.Before.IsZero() && revocation.Subject == "":
		return revocation, errors.New("before goes with sub only")
	case !revocation.Before.IsZero() && revocation.Scheme != "":
		return revocation, errors.New("before goes with tokens only: the credentials of this scheme do not say when they were issued")
	case !revocation.Until.IsZero() && !revocation.Until.After(now):
		return revocation, errors.New("until is in the past")
	case texts["token"] == "" || !revocation.Until.IsZero():
		return revocation, nil
	}
	revocation.Until, err = app.endOf(ctx, texts["token"], now)
	return revocation, err
}

// readTexts reads members that are strings.
func readTexts(members map[string]any) (map[string]string, error) {
	texts := make(map[string]string, len(members))
	for name, value := range members {
		text, ok := value.(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("%s is not a string with something in it", name)
		}
		texts[name] = text
	}
	return texts, nil
}

// readNames reads what a revocation names.
func (a *App) readNames(texts map[string]string, missing string) (authn.Revocation, error) {
	revocation := authn.Revocation{TokenID: texts["jti"], Subject: texts["sub"], Issuer: texts["issuer"], Scheme: texts["scheme"]}
	named := ""
	for _, name := range []string{"jti", "sub", "token"} {
		switch {
		case texts[name] == "":
			continue
		case named != "":
			return revocation, fmt.Errorf("%s and %s are both there: give one of them", named, name)
		case name != "token" && isCompact(texts[name]):
			return revocation, fmt.Errorf("%s is a whole token: write it as token", name)
		}
		named = name
	}
	token := texts["token"]
	switch {
	case named == "":
		return revocation, errors.New(missing)
	case revocation.Scheme != "" && (named != "sub" || revocation.Issuer != ""):
		return revocation, errors.New("scheme goes with sub only, and not beside issuer")
	case revocation.Issuer != "" && named == "token":
		return revocation, errors.New("issuer goes with jti and sub only: a token has one issuer")
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return revocation, errors.New("token is no token: it must not have spaces or a scheme such as Bearer in front")
	case token != "":
		revocation.Digest = authn.DigestOfToken(token)
	}
	return revocation, a.resolveScheme(&revocation)
}

// isCompact reports whether a name has the form of a signed or encrypted token:
// by a slip it may be one, and names are listed.
func isCompact(name string) bool {
	return strings.HasPrefix(name, "eyJ") && strings.Count(name, ".") >= 2
}

// resolveScheme has a revocation that is limited to a scheme of tokens be limited
// to its issuer.
func (a *App) resolveScheme(revocation *authn.Revocation) error {
	for _, scheme := range a.registry.allSchemes() {
		if _, tokens := scheme.Scheme.(capability.Revocable); revocation.Scheme == "" || scheme.name != revocation.Scheme || !tokens {
			continue
		}
		revocation.Scheme, revocation.Issuer = "", issuerOf(scheme.Scheme)
		if revocation.Issuer == "" {
			return errors.New("the scheme takes tokens of any issuer: write issuer in its place")
		}
	}
	return nil
}

func issuerOf(scheme authn.Scheme) string {
	if reporter, ok := scheme.(authn.Reporter); ok {
		return reporter.Report().Issuer
	}
	return ""
}

// concerned returns the names of the schemes that a revocation concerns. Of those
// that keep a list of their callers it is those that have the caller.
func (a *App) concerned(revocation authn.Revocation) ([]string, error) {
	names, declared := []string{}, false
	for _, scheme := range a.registry.allSchemes() {
		declared = declared || scheme.name == revocation.Scheme
		concerns := revocation.Subject != "" && revocation.Issuer == "" && (revocation.Scheme == "" || revocation.Scheme == scheme.name)
		if _, tokens := scheme.Scheme.(capability.Revocable); tokens {
			issuer := issuerOf(scheme.Scheme)
			concerns = revocation.Scheme == "" && (revocation.Issuer == "" || issuer == "" || issuer == revocation.Issuer)
		} else if callers, ok := scheme.Scheme.(capability.Callers); ok && concerns {
			has, err := callers.HasCaller(revocation.Subject)
			if err != nil {
				return nil, fmt.Errorf("invalid sub: %w", err)
			}
			concerns = has
		}
		if concerns && !slices.Contains(names, scheme.name) {
			names = append(names, scheme.name)
		}
	}
	if revocation.Scheme != "" && !declared {
		return nil, errors.New("no scheme of that name")
	}
	return names, nil
}

// endOf returns when a token ends, zero if that is not known: what a token says
// of it counts only if its signature is good.
func (a *App) endOf(ctx context.Context, token string, now time.Time) (latest time.Time, err error) {
	for _, scheme := range a.registry.allSchemes() {
		if revocable, ok := scheme.Scheme.(capability.Revocable); ok {
			if ends, sure := revocable.Ends(ctx, token); sure && ends.After(latest) {
				latest = ends
			}
		}
	}
	if !latest.IsZero() && !latest.After(now) {
		return latest, errors.New("token has expired: there is nothing to revoke")
	}
	return latest, nil
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
