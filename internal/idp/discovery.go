package idp

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
// Discovery 1.0 §3).
type Metadata struct {
	issuer    string
	members   map[string]any
	httpHosts []string
}

// Endpoint returns the URL in a member, which has passed CheckURL. A member that
// cannot be used concerns only its user.
func (m *Metadata) Endpoint(member string) (string, error) {
	if m.members[member] == nil || m.members[member] == "" {
		return "", fmt.Errorf("the metadata of the issuer have no %s", member)
	}
	return m.CheckEndpoint(member, m.members[member])
}

// CheckEndpoint returns a URL that the issuer names elsewhere, in a member of another
// document.
func (m *Metadata) CheckEndpoint(member string, value any) (string, error) {
	address, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", member)
	}
	if err := CheckURL(address, m.httpHosts...); err != nil {
		return "", fmt.Errorf("%s: %w", member, err)
	}
	// An issuer that is reached by https cannot send us to http, not even on this
	// machine.
	if isHTTPS(m.issuer) && !isHTTPS(address) {
		return "", fmt.Errorf("%s: the URL must begin with https://, as the issuer does", member)
	}
	return address, nil
}

// Discover fetches the metadata of an issuer. It tries each well-known location in
// turn. It uses the first document whose issuer is the given one, code point by code
// point (RFC 8414 §3.3). The issuer must come from the configuration, never from a
// token (RFC 8725 §3.10). The hosts in httpHosts may be reached without TLS.
//
// The metadata of an issuer with [TenantPlaceholder] are those of its common tenant,
// whose issuer is the template itself.
func Discover(ctx context.Context, client *http.Client, issuer string, httpHosts ...string) (*Metadata, error) {
	return discover(ctx, client, wellKnownLocations, issuer, httpHosts)
}

// DiscoverTransmitter is [Discover] for a transmitter of security events (Shared
// Signals Framework 1.0 §7.2).
func DiscoverTransmitter(ctx context.Context, client *http.Client, issuer string, httpHosts ...string) (*Metadata, error) {
	return discover(ctx, client, transmitterLocations, issuer, httpHosts)
}

func discover(ctx context.Context, client *http.Client, locations func(*url.URL) []string, issuer string, httpHosts []string) (*Metadata, error) {
	if err := CheckIssuer(issuer, httpHosts...); err != nil {
		return nil, err
	}
	address, err := url.Parse(strings.Replace(issuer, TenantPlaceholder, "common", 1))
	if err != nil {
		return nil, err
	}
	members, err := firstMetadata(ctx, client, locations(address), issuer)
	if err != nil {
		return nil, err
	}
	return &Metadata{issuer, members, httpHosts}, nil
}

// TenantPlaceholder is where an issuer with many tenants names the one of a token
// (Microsoft Entra ID).
const TenantPlaceholder = "{tenantid}"

// maxLocationWait is how long a place may take before the next request begins.
const maxLocationWait = 2 * time.Second

// firstMetadata asks the places in turn. A location that does not answer delays the
// next one only for its share of the remaining time. A slow answer still counts.
func firstMetadata(ctx context.Context, client *http.Client, locations []string, issuer string) (map[string]any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := maxLocationWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/time.Duration(len(locations)+1))
	}
	type answer struct {
		location int
		members  map[string]any
		err      error
	}
	answers, started := make(chan answer, len(locations)), 0 // has room for those that come too late
	timer := time.NewTimer(wait)
	defer timer.Stop()
	start := func() {
		if location := started; location < len(locations) && ctx.Err() == nil {
			started++
			timer.Reset(wait)
			go func() {
				metadata, err := fetchMetadata(ctx, client, locations[location], issuer)
				answers <- answer{location, metadata, err}
			}()
		}
	}
	failures := make([]error, len(locations))
	start()
	for answered := 0; answered < started; {
		select {
		case <-timer.C:
			start()
		case found := <-answers:
			if found.err == nil {
				return found.members, nil
			}
			failures[found.location] = found.err
			answered++
			start()
		}
	}
	return nil, fmt.Errorf("no metadata of the issuer: %w", join(failures))
}

// join joins failures in one line.
func join(failures []error) (all error) {
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

// wellKnownLocations lists where the metadata of an issuer may be. RFC 8414 §3.1 inserts
// the well-known part before the path, and OpenID Connect Discovery §4 appends it. Both
// drop a terminating slash.
func wellKnownLocations(issuer *url.URL) []string {
	host := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimRight(issuer.EscapedPath(), "/")
	return slices.Compact([]string{
		host + "/.well-known/oauth-authorization-server" + path,
		host + "/.well-known/openid-configuration" + path,
		host + path + "/.well-known/openid-configuration",
	})
}

// transmitterLocations lists the locations of the metadata of a transmitter. They are the
// inserted one of the specification, the appended one of Keycloak, and the one of RISC
// before the framework, which Google uses.
func transmitterLocations(issuer *url.URL) []string {
	host := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimRight(issuer.EscapedPath(), "/")
	return slices.Compact([]string{
		host + "/.well-known/ssf-configuration" + path,
		host + path + "/.well-known/ssf-configuration",
		host + "/.well-known/risc-configuration" + path,
	})
}

func fetchMetadata(ctx context.Context, client *http.Client, location, issuer string) (map[string]any, error) {
	found, err := Fetch(ctx, client, location, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return nil, err
	}
	members, err := readMetadata(found, issuer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", location, err)
	}
	return members, nil
}

func readMetadata(found *Document, issuer string) (map[string]any, error) {
	// A page for people, as a single-page application serves it for every path,
	// must not be read as metadata (RFC 8414 §3.2).
	if !found.IsJSON() {
		return nil, fmt.Errorf("answered with content type %.64q instead of application/json", found.mediaType)
	}
	members, err := strictjson.Object(found.Body)
	if err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if named, _ := members["issuer"].(string); named != issuer {
		return nil, fmt.Errorf("the document is that of another issuer, %.256q", named)
	}
	return members, nil
}

func isHTTPS(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "https"
}
