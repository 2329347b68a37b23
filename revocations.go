package requireauth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
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
	switch {
	case revoked.TokenID != "":
		revoked.Revoked = "jti"
	case revoked.Subject != "":
		revoked.Revoked = "sub"
	case revoked.Session != "":
		revoked.Revoked = "sid"
	case revoked.Digest != "":
		revoked.Revoked = "token"
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
	app.observeRevocation(eventRevoked, "a revocation was announced", entry)
	answer := revokedOf(entry)
	answer.Schemes = schemes
	return answer, nil
}

// revocationOf reads a revocation. Errors name the member and never its value.
func revocationOf(ctx context.Context, app *App, members map[string]any, now time.Time) (store.Revocation, error) {
	texts, err := readTexts(members)
	if err != nil {
		return store.Revocation{}, err
	}
	revocation, err := app.readNames(texts, "jti, sub, sid and token are all missing: give one of them")
	if err != nil {
		return revocation, err
	}
	for name, at := range map[string]*time.Time{"before": &revocation.Before, "until": &revocation.Until} {
		if texts[name] == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, texts[name]); err != nil {
			return revocation, fmt.Errorf("invalid %s: write an instant of RFC 3339, such as 2099-01-01T00:00:00Z", name)
		}
	}
	switch {
	case !revocation.Before.IsZero() && revocation.Subject == "" && revocation.Session == "":
		return revocation, errors.New("before goes with sub and sid only")
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
			return nil, fmt.Errorf("invalid %s: write a string that is not empty", name)
		}
		texts[name] = text
	}
	return texts, nil
}

// readNames reads what a revocation names.
func (a *App) readNames(texts map[string]string, missing string) (store.Revocation, error) {
	revocation := store.Revocation{TokenID: texts["jti"], Subject: texts["sub"], Session: texts["sid"], Issuer: texts["issuer"], Scheme: texts["scheme"]}
	named := ""
	for _, name := range []string{"jti", "sub", "sid", "token"} {
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
		return revocation, errors.New("issuer goes with jti, sub and sid only: a token has one issuer")
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return revocation, errors.New("invalid token: write it without spaces and without a scheme such as Bearer")
	case token != "":
		revocation.Digest = store.DigestOfToken(token)
	}
	return revocation, a.resolveScheme(&revocation)
}

// isCompact reports whether a name has the form of a signed or encrypted token.
// Names are listed, so a token must not be written as a name.
func isCompact(name string) bool {
	return strings.HasPrefix(name, "eyJ") && strings.Count(name, ".") >= 2
}

// resolveScheme replaces a scheme of tokens by its issuer.
func (a *App) resolveScheme(revocation *store.Revocation) error {
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
	if reporter, ok := scheme.(report.Reporter); ok {
		return reporter.Report().Issuer
	}
	return ""
}

// concerned returns the names of the schemes that a revocation concerns. A scheme
// that has a list of its callers is concerned only if the caller is in it.
func (a *App) concerned(revocation store.Revocation) ([]string, error) {
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
		return nil, errors.New("scheme not found")
	}
	return names, nil
}

// endOf returns when a token expires. It is zero for a token whose signature no
// scheme can verify.
func (a *App) endOf(ctx context.Context, token string, now time.Time) (latest time.Time, err error) {
	for _, scheme := range a.registry.allSchemes() {
		if revocable, ok := scheme.Scheme.(capability.Revocable); ok {
			if ends, sure := revocable.Ends(ctx, token); sure && ends.After(latest) {
				latest = ends
			}
		}
	}
	if !latest.IsZero() && !latest.After(now) {
		return latest, errors.New("the token has expired: it needs no revocation")
	}
	return latest, nil
}

// RevocationList is the answer of `GET /auth/revocations`.
type RevocationList struct {
	// Revocations are those in force, the newest first.
	Revocations []Revoked `json:"revocations"`
	// Total is how many are in force.
	Total int `json:"total"`
	// Next is the parameter `after` for the rest of the list; absent at its end.
	Next string `json:"next,omitempty"`
}

const (
	defaultPage = 100
	maxPage     = 1000
)

var errUnread = errors.New("the revocations are not known yet: the store is out of reach")

// listRevocations answers with a page of the revocations in force.
func listRevocations(app *App, r *http.Request) (any, error) {
	limit, after, err := pageOf(r.URL.Query())
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	if _, err := app.store.HasRevocations(); err != nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: errUnread.Error()}
	}
	page, total := selectPage(app.store.Revocations(), after, limit+1)
	list := RevocationList{Revocations: []Revoked{}, Total: total}
	if len(page) > limit {
		page = page[:limit]
		list.Next = cursorOf(page[limit-1])
	}
	for _, entry := range page {
		list.Revocations = append(list.Revocations, revokedOf(entry))
	}
	return list, nil
}

// pageOf reads the bounds of the requested page.
func pageOf(query url.Values) (limit int, after *store.Entry, err error) {
	limit = defaultPage
	for name, values := range query {
		value := values[0]
		switch {
		case name != "limit" && name != "after":
			return 0, nil, fmt.Errorf("unrecognized parameter %s: write limit or after", sayable(name))
		case len(values) > 1:
			return 0, nil, fmt.Errorf("%s is there twice", name)
		case name == "limit":
			if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxPage {
				return 0, nil, fmt.Errorf("invalid limit: write a number from 1 to %d", maxPage)
			}
		default:
			if after, err = readCursor(value); err != nil {
				return 0, nil, err
			}
		}
	}
	return limit, after, nil
}

// cursorOf names the last revocation of a page. The next page begins after it, even
// if it has ended by then.
func cursorOf(entry store.Entry) string {
	return strconv.FormatInt(entry.Created.UnixMilli(), 10) + "." + base64.RawURLEncoding.EncodeToString(entry.Key[:])
}

func readCursor(text string) (*store.Entry, error) {
	created, id, _ := strings.Cut(text, ".")
	milli, err := strconv.ParseInt(created, 10, 64)
	key, errKey := readRevocationID(id)
	if err != nil || errKey != nil {
		return nil, errors.New("invalid after: write the member next of the page before")
	}
	return &store.Entry{Key: key, Created: time.UnixMilli(milli)}, nil
}

func readRevocationID(text string) (key store.Key, err error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) != len(key) {
		return key, errors.New("invalid id: write the member id of a revocation")
	}
	return store.Key(decoded), nil
}

// newestFirst is the order of the list.
func newestFirst(a, b store.Entry) int {
	return cmp.Or(cmp.Compare(b.Created.UnixMilli(), a.Created.UnixMilli()), bytes.Compare(a.Key[:], b.Key[:]))
}

// selectPage returns the first entries of the list after a cursor, and the length
// of the list. It holds at most twice as many entries as it returns.
func selectPage(all iter.Seq[store.Entry], after *store.Entry, size int) (page []store.Entry, total int) {
	trim := func() {
		slices.SortFunc(page, newestFirst)
		page = page[:min(len(page), size)]
	}
	for entry := range all {
		total++
		if after != nil && newestFirst(entry, *after) <= 0 {
			continue
		}
		if page = append(page, entry); len(page) == 2*size {
			trim()
		}
	}
	trim()
	return page, total
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

func (a *App) revocationToUndo(members map[string]any) (store.Key, error) {
	texts, err := readTexts(members)
	if err != nil {
		return store.Key{}, err
	}
	if id := texts["id"]; id != "" {
		if len(texts) > 1 {
			return store.Key{}, errors.New("id goes with no other member: write id alone")
		}
		return readRevocationID(id)
	}
	named, err := a.readNames(texts, "id, jti, sub, sid and token are all missing: give one of them")
	if err != nil {
		return store.Key{}, err
	}
	return named.Key()
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
