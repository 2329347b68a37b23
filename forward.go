package requireauth

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// forwarding is the identity that a gate forwards to the upstream.
type forwarding struct {
	fields []forwardedField
	signed []signedField
	names  fieldNames // of both
}

type forwardedField struct{ name, value string }

func newForwarding(configured map[string]string) forwarding {
	var f forwarding
	for name, value := range configured {
		f.fields = append(f.fields, forwardedField{http.CanonicalHeaderKey(name), value})
		f.names = append(f.names, fieldname.Fold(name))
	}
	return f
}

// framing are the fields by which requests are routed and framed, which a claim
// must never decide, and others that end at the next proxy.
var framing = []string{
	"host", "connection", "content-length", "transfer-encoding", "trailer", "te", "upgrade",
	"keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
}

// decisive are the fields by which a gate decides about the origin and the operation
// of a request.
var decisive = []string{
	"origin", "sec-fetch-site", "sec-fetch-mode", "access-control-request-method",
	"mcp-method", "mcp-name", "mcp-protocol-version",
}

// checkForward reports what is wrong with the configured fields.
func checkForward(configured map[string]string) error {
	names := slices.Sorted(maps.Keys(configured))
	for _, name := range names {
		if err := checkPlaceholders(configured[name]); err != nil {
			return fmt.Errorf("forward %s: %w", name, err)
		}
	}
	return checkFieldNames("forward", names, nil)
}

// checkFieldNames refuses invalid names, names of fields that must carry no identity,
// and names that upstreams may read as one. The line in the Caddyfile has that word, and
// others are the names in other lines.
func checkFieldNames(line string, names, others []string) error {
	seen := make(map[string]string, len(names))
	for _, name := range others {
		seen[fieldname.Fold(name)] = name
	}
	for _, name := range names {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%s %q: invalid name of a header field", line, name)
		}
		if slices.Contains(framing, fieldname.Fold(name)) {
			return fmt.Errorf("%s %s: this field frames the request and cannot carry an identity", line, name)
		}
		if slices.Contains(decisive, fieldname.Fold(name)) {
			return fmt.Errorf("%s %s: gates decide by this field, and it would be removed before they read it", line, name)
		}
		if other, twice := seen[fieldname.Fold(name)]; twice {
			return fmt.Errorf("%s %s and %s: upstreams may read them as one field", line, other, name)
		}
		seen[fieldname.Fold(name)] = name
	}
	return nil
}

// checkPlaceholders refuses an unclosed or unknown `{http.auth.…}`. The upstream would be
// told of it as it is written, or of nothing, and a condition would compare with nothing.
func checkPlaceholders(value string) error {
	for _, part := range strings.Split(value, "{"+authPlaceholders)[1:] {
		key, _, closed := strings.Cut(part, "}")
		if !closed || strings.Contains(key, "{") {
			return fmt.Errorf("the placeholder {%s%s has no closing brace", authPlaceholders, key)
		}
		key, _, _ = strings.Cut(key, ":") // behind the colon is a default
		claim, ofUser := strings.CutPrefix(key, "user.")
		if !slices.Contains(placeholders, key) && (!ofUser || claim == "") {
			return fmt.Errorf("unknown placeholder {%s%s}: write {http.auth.user.<claim>}, or one of %s", authPlaceholders, key, strings.Join(placeholders, ", "))
		}
	}
	return nil
}

// checkCondition checks the placeholders of an `if`.
func checkCondition(expression string) error {
	if err := checkPlaceholders(expression); err != nil {
		return fmt.Errorf("if %s: %w", expression, err)
	}
	return nil
}

// authPlaceholders is how the placeholders of the gate begin.
const authPlaceholders = "http.auth."

// placeholders are the placeholders of the gate besides those of the user, without
// their beginning.
var placeholders = []string{"scheme", "client.id", "error", "error_description", "required_scopes", "trace_id"}

// fieldNames are the names of fields that carry an identity, folded.
type fieldNames []string

// has reports whether a name is one of these in some spelling.
func (n fieldNames) has(name string) bool {
	return slices.ContainsFunc(n, func(folded string) bool { return fieldname.Equal(name, folded) })
}

// removeFrom removes from a request what a client claims about itself: fields of these
// names in any spelling. It also removes their names from Connection, with which a
// proxy would drop the fields of the gate. Fields that a gate has set stay.
func (n fieldNames) removeFrom(r *http.Request, set []forwardedField) {
	if len(n) == 0 {
		return
	}
	for name, values := range r.Header {
		if n.has(name) && !(len(values) == 1 && slices.Contains(set, forwardedField{name, values[0]})) {
			delete(r.Header, name)
		}
	}
	r.Trailer = nil // its fields arrive after the gate, so none can be trusted
	if connection := r.Header["Connection"]; len(connection) > 0 {
		n.removeFromConnection(r.Header, connection)
	}
}

func (n fieldNames) removeFromConnection(h http.Header, fields []string) {
	var rest []string
	for _, field := range fields {
		steps.Add(len(field))
		for option := range strings.SplitSeq(field, ",") {
			if option = strings.TrimSpace(option); option != "" && !n.has(option) {
				rest = append(rest, option)
			}
		}
	}
	if len(rest) == 0 {
		h.Del("Connection")
		return
	}
	h.Set("Connection", strings.Join(rest, ", "))
}

// setOn sets the fields of an identity that this gate has admitted. They replace those
// that an earlier gate set under the same names, so that no upstream takes fields of
// two callers for one. A value that no field may carry is left out: it comes from a
// claim, and an upstream that hears nothing grants nothing. So is space around it,
// which would be lost on the way and make two users one. So is a tab, at which an
// upstream may take one scope for two.
func (f *forwarding) setOn(r *http.Request, state *requestState) {
	if len(f.names) == 0 {
		return
	}
	f.names.removeFrom(r, nil)
	state.forwarded = slices.DeleteFunc(state.forwarded, func(set forwardedField) bool { return f.names.has(set.name) })
	for _, field := range f.fields {
		value := state.replacer.ReplaceAll(field.value, "")
		if value != "" && value == strings.TrimSpace(value) && !strings.Contains(value, "\t") && httpguts.ValidHeaderFieldValue(value) {
			r.Header[field.name] = []string{value}
			state.forwarded = append(state.forwarded, forwardedField{field.name, value})
		}
	}
}

// dropBody takes the body out of a request that may have none. Over HTTP/3 it is not
// known beforehand whether one comes, so it cannot be refused.
func dropBody(r *http.Request) {
	r.Body, r.ContentLength, r.TransferEncoding, r.Trailer = http.NoBody, 0, nil, nil
	r.Header.Del("Content-Length")
}

// keepToHTTPRequest removes the request to change to another kind of HTTP on the same
// connection. After the answer 101 a client could send the upstream any request, and no
// gate would see it. It removes `h2c`, which servers may ignore anyway (RFC 9113 §3.1),
// and `HTTP/…` and `TLS/…`. WebSockets and other protocols are what the one request is
// about, and go on.
func keepToHTTPRequest(h http.Header) {
	fields, asked := h["Upgrade"]
	if !asked {
		return
	}
	h.Del("HTTP2-Settings")
	var rest []string
	for _, field := range fields {
		steps.Add(len(field))
		for protocol := range strings.SplitSeq(field, ",") {
			if protocol = strings.TrimSpace(protocol); protocol != "" && !carriesHTTP(protocol) {
				rest = append(rest, protocol)
			}
		}
	}
	if len(rest) == 0 {
		h.Del("Upgrade")
		return
	}
	h["Upgrade"] = []string{strings.Join(rest, ", ")}
}

// carriesHTTP reports whether requests can follow in a protocol, as it is named
// in Upgrade (RFC 9110 §7.8).
func carriesHTTP(protocol string) bool {
	name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
	switch name {
	case "h2c", "h2", "h3", "http", "https", "tls":
		return true
	default:
		return false
	}
}
