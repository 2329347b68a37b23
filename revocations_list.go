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

	"github.com/excorp/caddy-require-auth/store"
)

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
			return 0, nil, fmt.Errorf("duplicate parameter %s", name)
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
