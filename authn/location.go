package authn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// LocationKind is a part of a request that can carry a credential.
type LocationKind string

// The parts of a request that can carry a credential.
const (
	InHeader LocationKind = "header"
	InQuery  LocationKind = "query"
	InCookie LocationKind = "cookie"
	InForm   LocationKind = "form"

	// InWebSocket is the field Sec-WebSocket-Protocol of a WebSocket handshake: the
	// credential follows the subprotocol `bearer`. Scripts in browsers have no other
	// way to send one.
	InWebSocket LocationKind = "websocket"

	// InTLS is the connection: its client certificate.
	InTLS LocationKind = "tls"
)

// Location is the location of a credential in a request.
type Location struct {
	// The part of the request: `header`, `query`, `cookie`, `form` or `websocket`.
	Kind LocationKind `json:"in"`
	// The name of the field, parameter or cookie; none for `websocket`. A cookie may
	// also be split as `<name>.0`, `<name>.1` and so on.
	Name string `json:"name,omitempty"`
}

// AuthorizationField is the location of Bearer, DPoP and Basic credentials.
var AuthorizationField = Location{Kind: InHeader, Name: "Authorization"}

// proxyFields are fields that an identity proxy sets for the session of a browser, also
// in a request that another site causes.
var proxyFields = []string{"Cf-Access-Jwt-Assertion", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data", "X-Goog-Iap-Jwt-Assertion"}

// SentByBrowser reports whether a browser adds the credential at this location without
// a script, also to requests that another site causes.
func (p Location) SentByBrowser() bool {
	return p.Kind == InCookie || p.Kind == InTLS || p.Kind == InHeader && slices.Contains(proxyFields, p.Name)
}

// Check returns an error for an invalid location in a configuration.
func (p Location) Check() error {
	switch p.Kind {
	case InHeader, InQuery, InCookie, InForm:
	case InWebSocket:
		if p.Name != "" {
			return fmt.Errorf("websocket has no name: remove %q", p.Name)
		}
		return nil
	default:
		return fmt.Errorf("unknown location %q: write header, query, cookie, form or websocket", p.Kind)
	}
	if (p.Kind == InHeader || p.Kind == InCookie) && !authheader.IsToken(p.Name) {
		return fmt.Errorf("invalid name %q of a %s", p.Name, p.Kind)
	}
	if p.Name == "" {
		return fmt.Errorf("%s needs a name", p.Kind)
	}
	return nil
}

// Same compares locations. Names of header fields have no case.
func (p Location) Same(other Location) bool {
	return p == other || p.Kind == InHeader && other.Kind == InHeader && strings.EqualFold(p.Name, other.Name)
}

// VaryField is the request field that a response to a credential at this location
// depends on. It is empty if the URL or the body already differs.
func (p Location) VaryField() string {
	switch p.Kind {
	case InHeader:
		return http.CanonicalHeaderKey(p.Name)
	case InCookie:
		return "Cookie"
	case InWebSocket:
		return subprotocolField
	default:
		return ""
	}
}

// Credential is an unverified credential of a request.
type Credential struct {
	// Scheme is the authentication scheme, in the spelling of its specification. It is
	// empty outside the Authorization field.
	Scheme string
	// Value is the credential itself.
	Value string
	// Location is its location in the request.
	Location Location
}

// Found reports whether the credential is not empty.
func (c Credential) Found() bool { return c.Location.Kind != "" }

// errMultipleCredentials is the error for two different credentials, or for one that is
// repeated in one location. It must not be left to chance which one counts.
var errMultipleCredentials = errors.New("more than one credential in the request")

// MultipleCredentials is [errMultipleCredentials] with the two locations, for the log.
func MultipleCredentials(one, other Location) error {
	return fmt.Errorf("%w: in %s and in %s", errMultipleCredentials, one, other)
}

// String names the location, such as "cookie session".
func (p Location) String() string { return strings.TrimSpace(string(p.Kind) + " " + p.Name) }

// FindIn looks for a credential in the given locations. The same credential in two of
// them is one, found in the first. The error is [errMultipleCredentials], or says which
// part of a split cookie is missing.
func FindIn(r *Request, locations []Location) (Credential, error) {
	var found Credential
	for _, location := range locations {
		values, err := location.values(r)
		switch {
		case err != nil:
			return Credential{}, err
		case len(values) == 0:
		case len(values) > 1:
			return Credential{}, MultipleCredentials(location, location)
		case !found.Found():
			found = Credential{Value: values[0], Location: location}
		case found.Value != values[0]:
			return Credential{}, MultipleCredentials(found.Location, location)
		}
	}
	return found, nil
}

// values returns the values at the location. Empty values do not count. Values that
// cannot be decoded count, because an upstream may decode them.
func (p Location) values(r *Request) (all []string, err error) {
	switch p.Kind {
	case InHeader:
		all = r.Header[http.CanonicalHeaderKey(p.Name)]
	case InQuery:
		all = r.inQuery(p.Name)
	case InCookie:
		all, err = r.inCookies(p.Name)
	case InForm:
		all = r.form()[p.Name]
	case InWebSocket:
		if isWebSocket(r.Request) {
			all, _ = cutSubprotocols(r.Header[subprotocolField])
		}
	case InTLS:
	}
	if len(all) == 1 && all[0] == "" {
		return nil, nil
	}
	return all, err
}

// Holds reports whether a credential is at the location, in a header field alone or
// after the name of its scheme.
func (p Location) Holds(r *Request, credential string) bool {
	found, err := FindIn(r, []Location{p})
	if err != nil || !found.Found() {
		return false
	}
	if p.Kind == InHeader && found.Value != credential {
		_, found.Value, _ = strings.Cut(found.Value, " ")
		found.Value = strings.Trim(found.Value, " \t")
	}
	return found.Value == credential
}

// maxForm bounds a form body, in bytes.
const maxForm = 64 << 10

// form returns the parameters of a form body, and keeps them. When the next gate looks
// for its credential, the body may be without it, or gone.
func (r *Request) form() url.Values {
	if r.gate != nil && r.gate.Hidden && r.Header.Get("Expect") != "" {
		return nil
	}
	if r.formValues == nil {
		r.formValues = r.readForm()
	}
	return r.formValues
}

// readForm reads a form under the conditions of RFC 6750 §2.2: a method with a body,
// one part, ASCII. It restores the body.
func (r *Request) readForm() url.Values {
	if r.Body == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(textproto.TrimString(media), "application/x-www-form-urlencoded") {
		return nil
	}
	read, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	r.Body = &replayedBody{Reader: io.MultiReader(bytes.NewReader(read), r.Body), Closer: r.Body}
	if err != nil || len(read) > maxForm || !isASCII(read) {
		return nil
	}
	values, err := url.ParseQuery(string(read))
	if err != nil {
		return nil
	}
	return values
}

func isASCII(data []byte) bool {
	for _, c := range data {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// replayedBody is a body whose beginning was read and is served again.
type replayedBody struct {
	io.Reader
	io.Closer
}

// Remove removes the credential at the location from a request.
func (p Location) Remove(r *http.Request) {
	switch p.Kind {
	case InHeader:
		r.Header.Del(p.Name)
	case InQuery:
		before := r.URL.RawQuery
		p.removeFromQuery(r.URL)
		r.RequestURI = r.URL.RequestURI()
		p.removeFromOriginal(r, before)
	case InCookie:
		fields := r.Header["Cookie"]
		r.Header.Del("Cookie")
		for _, field := range fields {
			rest := without(field, ';', func(pair string) bool {
				if pair[0] != p.Name[0] && !isSpace(pair[0]) || len(pair) < len(p.Name) {
					return false // nearly all
				}
				name, _, _ := strings.Cut(pair, "=")
				name = textproto.TrimString(name)
				return name == p.Name || wholeOf(name) == p.Name
			})
			if rest = textproto.TrimString(rest); rest != "" {
				r.Header.Add("Cookie", rest)
			}
		}
	case InForm:
		p.removeFromForm(r)
	case InWebSocket:
		_, rest := cutSubprotocols(r.Header[subprotocolField])
		r.Header.Del(subprotocolField)
		if len(rest) > 0 {
			r.Header.Set(subprotocolField, strings.Join(rest, ", "))
		}
	case InTLS:
	}
}

func (p Location) removeFromQuery(address *url.URL) {
	address.RawQuery = without(address.RawQuery, '&', func(pair string) bool {
		if pair[0] != p.Name[0] && pair[0] != '%' && pair[0] != '+' {
			return false // nearly all
		}
		name, _, _ := strings.Cut(pair, "=")
		if lengthOf(name) != len(p.Name) {
			return false
		}
		plain, err := url.QueryUnescape(name)
		return err == nil && plain == p.Name
	})
}

func (p Location) removeFromForm(r *http.Request) {
	request := Request{Request: r}
	values := request.form()
	if values == nil {
		return
	}
	values.Del(p.Name)
	body := values.Encode()
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
}

// without returns the list without the members that drop names.
func without(list string, separator byte, drop func(string) bool) string {
	var remaining strings.Builder
	from := 0 // of the next kept member
	steps.Add(len(list))
	for at := 0; at < len(list); {
		if list[at] == separator {
			at++
			continue
		}
		end := strings.IndexByte(list[at:], separator)
		if end < 0 {
			end = len(list) - at
		}
		next := at + end + 1
		if drop(list[at : at+end]) {
			remaining.WriteString(list[from:at])
			from = next
		}
		at = next
	}
	if from == 0 {
		return list
	}
	if from > len(list) { // the last member was removed, and the separator before it
		return strings.TrimSuffix(remaining.String(), string(separator))
	}
	remaining.WriteString(list[from:])
	return remaining.String()
}
