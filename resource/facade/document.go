package facade

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// The bounds of client ID metadata documents, whose URLs strangers choose.
const (
	maxDocument   = 16 << 10 // bytes
	maxDocuments  = 1000     // kept
	documentAge   = 5 * time.Minute
	failureAge    = 30 * time.Second
	maxFetches    = 16 // at once; one client alone can have half of them
	fetchDeadline = 5 * time.Second
)

// clientDocument is the document in which a client describes itself
// (draft-ietf-oauth-client-id-metadata-document).
type clientDocument struct {
	ClientID     string
	RedirectURIs []string
}

// fetchResult is a document, or the reason of a failure.
type fetchResult struct {
	document *clientDocument
	failure  error
}

// documents fetches client ID metadata documents, and caches them.
type documents struct {
	client  *http.Client
	flights singleflight.Group
	fetches *fairness.FairQuota
	cache   *otter.Cache[string, fetchResult]
}

func newDocuments(client *http.Client) *documents {
	return &documents{
		client: client, fetches: fairness.NewFairQuota(maxFetches),
		cache: otter.Must(&otter.Options[string, fetchResult]{
			MaximumSize: maxDocuments,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[string, fetchResult]) time.Duration {
				if entry.Value.failure != nil {
					return failureAge
				}
				return documentAge
			}),
		}),
	}
}

// documentURL is the form of a client ID that is the URL of a document. It has a path,
// and neither user, query nor fragment.
var documentURL = regexp.MustCompile(`^https://(?:[a-z0-9-]+\.)+[a-z0-9-]*[a-z][a-z0-9-]*(?::[1-9][0-9]{0,4})?/[A-Za-z0-9._~!$&'()+,;=:@/-]+$`)

// isDocumentURL reports whether a client ID is the URL of a document.
func isDocumentURL(id string) bool {
	return len(id) <= maxURI && documentURL.MatchString(id) && !dotSegment.MatchString(id)
}

// find returns the document at a URL.
func (d *documents) find(r *http.Request, id string) (*clientDocument, error) {
	if cached, ok := d.cache.GetIfPresent(id); ok {
		return cached.document, cached.failure
	}
	client := clientaddress.NetworkOf(r)
	if !d.fetches.TryAcquire(client) {
		return nil, errBusy
	}
	defer d.fetches.Release(client)
	result, _, _ := d.flights.Do(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), fetchDeadline)
		defer cancel()
		document, err := d.fetch(ctx, id)
		fetched := fetchResult{document, err}
		d.cache.Set(id, fetched)
		return fetched, nil
	})
	fetched := result.(fetchResult)
	return fetched.document, fetched.failure
}

// fetch reads a document. Its errors are for the log only, because they may disclose
// what this machine can reach.
func (d *documents) fetch(ctx context.Context, id string) (*clientDocument, error) {
	found, err := idp.FetchUpTo(ctx, d.client, id, http.Header{"Accept": {"application/json"}}, maxDocument)
	if err != nil {
		return nil, err
	}
	if !found.IsJSON() {
		return nil, errors.New("not answered in JSON")
	}
	return readDocument(found.Body, id)
}

// readDocument checks a document. A client that must authenticate is refused: the
// facade has neither its keys nor a secret.
func readDocument(body []byte, id string) (*clientDocument, error) {
	members, err := strictjson.Object(body)
	if err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	method, named := members["token_endpoint_auth_method"]
	_, secret := members["client_secret"]
	switch {
	case members["client_id"] != id:
		return nil, errors.New("client_id is not the URL of the document")
	case secret:
		return nil, errors.New("the document has a secret")
	case named && method != "none":
		return nil, errors.New("token_endpoint_auth_method is not none")
	}
	uris, err := readURIs(members["redirect_uris"])
	if err != nil {
		return nil, err
	}
	return &clientDocument{ClientID: id, RedirectURIs: uris}, nil
}
