package requireauth

import (
	"bytes"
	"cmp"
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
)

// Revoked is a revocation: the answer of `POST` and `DELETE /auth/revocations`,
// and a member of that of `GET`.
type Revoked struct {
	// ID names the revocation, for `DELETE /auth/revocations`.
	ID string `json:"id"`
	// Revoked is what the revocation goes by: `jti`, `sub` or `token`. Absent,
	// as is what it concerns, if an instance announced it that does not write
	// that down.
	Revoked string `json:"revoked,omitempty"`
	authn.About
	// Schemes are those that it concerns at this instance, by their names. Only
	// the answer of `POST` has them.
	Schemes []string `json:"schemes,omitzero"`
	// Before is when the tokens of the subject were issued at the latest.
	Before time.Time `json:"before,omitzero"`
	// Until is when the revocation ends.
	Until time.Time `json:"until"`
	// Created is when it was announced.
	Created time.Time `json:"created,omitzero"`
}

func revokedOf(entry authn.Entry) Revoked {
	revoked := Revoked{
		ID: base64.RawURLEncoding.EncodeToString(entry.Key[:]), About: authn.ReadAbout(entry),
		Before: entry.Before, Until: entry.Until, Created: entry.Created,
	}
	switch {
	case revoked.TokenID != "":
		revoked.Revoked = "jti"
	case revoked.Subject != "":
		revoked.Revoked = "sub"
	case revoked.Digest != "":
		revoked.Revoked = "token"
	}
	return revoked
}

// RevocationList is the answer of `GET /auth/revocations`.
type RevocationList struct {
	// Revocations are those that hold, the newest first.
	Revocations []Revoked `json:"revocations"`
	// Total is how many hold.
	Total int `json:"total"`
	// Next is the parameter `after` for the rest of the list; absent at its end.
	Next string `json:"next,omitempty"`
}

const (
	defaultPage = 100
	maxPage     = 1000
)

var errUnread = errors.New("the revocations are not known yet: the store is out of reach")

// listRevocations answers with a page of the revocations that hold.
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

// pageOf reads which part of the list is asked for.
func pageOf(query url.Values) (limit int, after *authn.Entry, err error) {
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

// cursorOf says after which revocation a page begins. It means the same however
// many revocations come and go.
func cursorOf(entry authn.Entry) string {
	return strconv.FormatInt(entry.Created.UnixMilli(), 10) + "." + base64.RawURLEncoding.EncodeToString(entry.Key[:])
}

func readCursor(text string) (*authn.Entry, error) {
	created, id, _ := strings.Cut(text, ".")
	milli, err := strconv.ParseInt(created, 10, 64)
	key, errKey := readRevocationID(id)
	if err != nil || errKey != nil {
		return nil, errors.New("invalid after: write the member next of the page before")
	}
	return &authn.Entry{Key: key, Created: time.UnixMilli(milli)}, nil
}

func readRevocationID(text string) (key authn.Key, err error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) != len(key) {
		return key, errors.New("invalid id: write the member id of a revocation")
	}
	return authn.Key(decoded), nil
}

// newestFirst is the order of the list.
func newestFirst(a, b authn.Entry) int {
	return cmp.Or(cmp.Compare(b.Created.UnixMilli(), a.Created.UnixMilli()), bytes.Compare(a.Key[:], b.Key[:]))
}

// selectPage returns the first marks of the list after one, and how many there
// are in all. It keeps at most twice as many as it returns.
func selectPage(all iter.Seq[authn.Entry], after *authn.Entry, size int) (page []authn.Entry, total int) {
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

// undoRevocation ends a revocation at all instances that share the store.
func undoRevocation(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "id", "jti", "sub", "token", "issuer", "scheme")
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
		return nil, apiError(http.StatusNotFound, errors.New("no such revocation: see GET /auth/revocations"))
	}
	app.tellRevocation(eventUndone, "a revocation was undone", entry)
	return revokedOf(entry), nil
}

func (a *App) revocationToUndo(members map[string]any) (authn.Key, error) {
	texts, err := readTexts(members)
	if err != nil {
		return authn.Key{}, err
	}
	if id := texts["id"]; id != "" {
		if len(texts) > 1 {
			return authn.Key{}, errors.New("id goes with no other member")
		}
		return readRevocationID(id)
	}
	named, err := a.readNames(texts, "id, jti, sub and token are all missing: give one of them")
	if err != nil {
		return authn.Key{}, err
	}
	return named.Key()
}

// tellRevocation has the log, the metrics and whoever listens to events hear of
// a revocation that began or ended here.
func (a *App) tellRevocation(event, message string, entry authn.Entry) {
	revocationChanges.WithLabelValues(revocationActions[event]).Inc()
	revoked := revokedOf(entry)
	data := map[string]any{
		"id": revoked.ID, "revoked": revoked.Revoked, "jti": revoked.TokenID, "sub": revoked.Subject,
		"issuer": revoked.Issuer, "scheme": revoked.Scheme, "until": revoked.Until.UTC().Format(time.RFC3339),
	}
	fields := make([]zap.Field, 0, len(data))
	for _, name := range []string{"id", "revoked", "jti", "sub", "issuer", "scheme", "until"} {
		if data[name] != "" {
			fields = append(fields, zap.Any(name, data[name]))
		}
	}
	a.logger.Info(message, fields...)
	a.events.emit(event, func() map[string]any { return data })
}
