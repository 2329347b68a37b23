package keyset

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// Metadata is what an issuer says about itself (RFC 8414 §2, OpenID Connect
// Discovery 1.0 §3). Endpoints that the document does not name are empty; the
// others have passed CheckURL.
type Metadata struct {
	Issuer                string
	JWKSURI               string
	IntrospectionEndpoint string
	// IntrospectionError is why an endpoint that the document names cannot be used.
	// It concerns only whoever wants to use it.
	IntrospectionError error
}

// Discover fetches the metadata of an issuer. It asks at each well-known place
// in turn, each with a time-out of its own, and uses the first document whose issuer is the given one, code point
// by code point (RFC 8414 §3.3). The issuer must come from the configuration,
// never from a token (RFC 8725 §3.10).
func Discover(ctx context.Context, client *http.Client, issuer string) (Metadata, error) {
	if err := CheckIssuer(issuer); err != nil {
		return Metadata{}, err
	}
	address, err := url.Parse(issuer)
	if err != nil {
		return Metadata{}, err
	}
	return firstMetadata(ctx, client, wellKnownPlaces(address), issuer)
}

// maxPlaceWait is how long a place may take before the next one is asked too.
const maxPlaceWait = 2 * time.Second

// firstMetadata asks the places in turn. One that does not answer does not keep the
// next one waiting for longer than its share of the time that is left; it may still
// answer, if it is only slow.
func firstMetadata(ctx context.Context, client *http.Client, locations []string, issuer string) (Metadata, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := maxPlaceWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/time.Duration(len(locations)+1))
	}
	type answer struct {
		place    int
		metadata Metadata
		err      error
	}
	answers, asked := make(chan answer, len(locations)), 0 // has room for those that come too late
	timer := time.NewTimer(wait)
	defer timer.Stop()
	ask := func() {
		if location := asked; location < len(locations) && ctx.Err() == nil {
			asked++
			timer.Reset(wait)
			go func() {
				metadata, err := fetchMetadata(ctx, client, locations[location], issuer)
				answers <- answer{location, metadata, err}
			}()
		}
	}
	failures := make([]error, len(locations))
	ask()
	for answered := 0; answered < asked; {
		select {
		case <-timer.C:
			ask()
		case found := <-answers:
			if found.err == nil {
				return found.metadata, nil
			}
			failures[found.place] = found.err
			answered++
			ask()
		}
	}
	return Metadata{}, fmt.Errorf("no metadata of the issuer: %w", joined(failures))
}

// joined joins failures in one line.
func joined(failures []error) (all error) {
	for _, failure := range failures {
		switch {
		case failure == nil:
		case all == nil:
			all = failure
		default:
			all = fmt.Errorf("%w; %w", all, failure)
		}
	}
	return all
}

// wellKnownPlaces lists where the metadata of an issuer may be. RFC 8414 §3.1
// inserts the well-known part before the path, and drops a terminating slash;
// OpenID Connect Discovery §4 appends it, and drops the slash as well.
func wellKnownPlaces(issuer *url.URL) []string {
	host := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimRight(issuer.EscapedPath(), "/")
	return slices.Compact([]string{
		host + "/.well-known/oauth-authorization-server" + path,
		host + "/.well-known/openid-configuration" + path,
		host + path + "/.well-known/openid-configuration",
	})
}

func fetchMetadata(ctx context.Context, client *http.Client, location, issuer string) (Metadata, error) {
	found, err := get(ctx, client, location, "application/json")
	if err != nil {
		return Metadata{}, err
	}
	metadata, err := readMetadata(found, issuer)
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: %w", location, err)
	}
	return metadata, nil
}

func readMetadata(found *answer, issuer string) (Metadata, error) {
	// A page for people, as a single-page application serves it for every path,
	// must not be read as metadata (RFC 8414 §3.2).
	if !found.isJSON() {
		return Metadata{}, fmt.Errorf("answered with content type %.64q instead of application/json", found.mediaType)
	}
	// Whoever reads the first of two members would be sent elsewhere than whoever
	// reads the last (RFC 8259 §4).
	if _, err := strictjson.Object(found.body); err != nil {
		return Metadata{}, fmt.Errorf("not a JSON object: %w", err)
	}
	document, err := parseMembers(found.body)
	if err != nil {
		return Metadata{}, err
	}
	named, err := document.text("issuer")
	if err != nil {
		return Metadata{}, err
	}
	if named != issuer {
		return Metadata{}, fmt.Errorf("the document is that of another issuer, %.256q", named)
	}
	metadata := Metadata{Issuer: named}
	if metadata.JWKSURI, err = endpoint(document, "jwks_uri", issuer); err != nil {
		return Metadata{}, err
	}
	metadata.IntrospectionEndpoint, metadata.IntrospectionError = endpoint(document, "introspection_endpoint", issuer)
	return metadata, nil
}

// endpoint returns a URL of the document. An issuer that is reached by https
// cannot send us to http, not even on this machine.
func endpoint(document members, name, issuer string) (string, error) {
	address, err := document.text(name)
	if err != nil || address == "" {
		return "", err
	}
	if err := CheckURL(address); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if isHTTPS(issuer) && !isHTTPS(address) {
		return "", fmt.Errorf("%s: the URL must begin with https://, as the issuer does", name)
	}
	return address, nil
}

func isHTTPS(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "https"
}
