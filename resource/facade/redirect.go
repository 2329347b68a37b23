package facade

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxURI bounds the URIs of clients, in bytes.
const maxURI = 1024

// The characters of a path and a query in a redirect URI. Ambiguous ones are not among
// them: percent-encodings in the path, which can hide a slash, a backslash, a fragment,
// and the wildcard.
const (
	pathOfURI  = `(?:/[A-Za-z0-9._~!$&'()+,;=:@-]*)*`
	queryOfURI = `(?:\?[A-Za-z0-9._~!$&'()+,;=:@/?%-]*)?`
)

var (
	// loopback is a redirect URI of a program on the device, with any port (RFC 8252
	// §7.3).
	loopback = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([1-9][0-9]{0,4}))?(` + pathOfURI + queryOfURI + `)$`)
	// web is a redirect URI of a site in the form of a browser. It is in lower case,
	// without a dot at the end of the host.
	web = regexp.MustCompile(`^https://(?:[a-z0-9-]+\.)*[a-z0-9-]*[a-z][a-z0-9-]*(?::[1-9][0-9]{0,4})?` + pathOfURI + queryOfURI + `$`)
	// app is a redirect URI with the scheme of an app (RFC 8252 §7.1).
	app = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:(?://[A-Za-z0-9._-]*)?` + pathOfURI + queryOfURI + `$`)
	// dotSegment is a segment that browsers remove.
	dotSegment = regexp.MustCompile(`/\.\.?(?:[/?]|$)`)
)

var errRedirectURI = errors.New("the redirect URI is neither on loopback nor listed")

// answerParameters are the parameters that are added to a redirect URI.
var answerParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// checkForm refuses what no redirect URI of any client may have.
func checkForm(uri string) error {
	_, query, _ := strings.Cut(uri, "?")
	values, err := url.ParseQuery(query)
	switch {
	case len(uri) > maxURI:
		return errors.New("the redirect URI is too long")
	case dotSegment.MatchString(uri):
		return errors.New("the redirect URI has a dot segment")
	case err != nil:
		return errors.New("the redirect URI has an invalid query")
	}
	if slices.ContainsFunc(answerParameters, values.Has) {
		return errors.New("the redirect URI has a parameter of the answer")
	}
	return nil
}

// loopbackParts cuts a redirect URI on loopback around its port.
func loopbackParts(uri string) (host, path string, ok bool) {
	parts := loopback.FindStringSubmatch(uri)
	if parts == nil {
		return "", "", false
	}
	if port, _ := strconv.Atoi(parts[2]); port > 65535 {
		return "", "", false
	}
	return parts[1], parts[3], true
}

// checkRedirect accepts a redirect URI of the shared client: on loopback, or listed.
func (f *Facade) checkRedirect(uri string) error {
	if err := checkForm(uri); err != nil {
		return err
	}
	if _, _, local := loopbackParts(uri); local || slices.Contains(f.RedirectURIs, uri) {
		return nil
	}
	return errRedirectURI
}

// checkDocumented accepts a redirect URI of a client with a metadata document, which
// must list it. On loopback the port may differ. A site must be that of the document,
// or listed here as well.
func (f *Facade) checkDocumented(uri string, document *clientDocument) error {
	if err := checkForm(uri); err != nil {
		return err
	}
	if host, path, local := loopbackParts(uri); local {
		same := func(listed string) bool {
			listedHost, listedPath, local := loopbackParts(listed)
			return local && listedHost == host && listedPath == path
		}
		if slices.ContainsFunc(document.RedirectURIs, same) {
			return nil
		}
		return errRedirectURI
	}
	if !slices.Contains(document.RedirectURIs, uri) {
		return errRedirectURI
	}
	if web.MatchString(uri) && originOf(uri) == originOf(document.ClientID) || slices.Contains(f.RedirectURIs, uri) {
		return nil
	}
	return errors.New("the redirect URI is on another site than the metadata document")
}

// originOf returns the scheme and authority of an https URL, as written.
func originOf(uri string) string {
	rest := strings.TrimPrefix(uri, "https://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return "https://" + rest
}

// hostOf returns the host of a redirect URI for people. It is empty for loopback. For
// an app it is the scheme.
func hostOf(uri string) string {
	if _, _, local := loopbackParts(uri); local {
		return ""
	}
	if web.MatchString(uri) {
		return strings.TrimPrefix(originOf(uri), "https://")
	}
	scheme, _, _ := strings.Cut(uri, ":")
	return scheme + ":"
}

// refusedSchemes are schemes that browsers read or run themselves.
var refusedSchemes = []string{
	"http", "https", "javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "ftp", "ws", "wss", "view-source", "mailto",
}

// checkListed checks a redirect URI of the configuration.
func checkListed(uri string) error {
	scheme, _, _ := strings.Cut(uri, ":")
	switch {
	case web.MatchString(uri):
	case scheme == "http" && loopback.MatchString(uri):
		return errors.New("clients on loopback are accepted without a line")
	case slices.Contains(refusedSchemes, strings.ToLower(scheme)), !app.MatchString(uri):
		return errors.New("write an https:// URL, or one with the scheme of an app, without user, fragment, wildcard and percent-encoded path")
	}
	return checkForm(uri)
}
