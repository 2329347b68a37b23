package cors

import (
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// answer are the CORS fields of one response.
type answer struct {
	// fields are all Access-Control-* fields of the response.
	fields http.Header
	// vary is added to the Vary field. It is empty if the origin makes no difference.
	vary string
}

// answerPreflight is the answer to a preflight.
func (h *Handler) answerPreflight(r *http.Request) answer {
	answer := h.answerOf(r)
	if !h.allowsFields(r.Header["Access-Control-Request-Headers"]) {
		answer.fields = nil
	}
	return answer
}

// allowsFields reports whether scripts may set all request fields of these lists.
// rs/cors reads only lists in the form of browsers, sorted and in lower case. This
// function also reads a list that a person has typed.
func (h *Handler) allowsFields(lists []string) bool {
	if len(h.Headers) == 0 || slices.Contains(h.Headers, "*") {
		return true
	}
	for _, list := range lists {
		steps.Add(len(list))
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && !h.allowed[strings.ToLower(name)] {
				return false
			}
		}
	}
	return true
}

// answerActual is the answer to a request that is not a preflight. rs/cors gets only
// the parts that it reads, so it never takes an OPTIONS with a credential for a
// preflight.
func (h *Handler) answerActual(r *http.Request) answer {
	answer := h.answerOf(&http.Request{Method: r.Method, Header: http.Header{"Origin": r.Header["Origin"]}})
	if len(answer.fields) > 0 {
		// rs/cors would spell it Www-Authenticate.
		exposed := h.exposed
		if isGRPCWeb(r.Header.Get("Content-Type")) {
			exposed += ", Grpc-Status, Grpc-Message" // where its answer has no body, as a denial
		}
		answer.fields["Access-Control-Expose-Headers"] = []string{exposed}
	}
	return answer
}

// isGRPCWeb reports whether a media type is that of gRPC in browsers.
func isGRPCWeb(contentType string) bool {
	const name = "application/grpc-web"
	return len(contentType) >= len(name) && strings.EqualFold(contentType[:len(name)], name)
}

// answerOf lets rs/cors answer the request into header fields of its own.
func (h *Handler) answerOf(r *http.Request) answer {
	sink := headerSink{}
	h.protocol.HandlerFunc(sink, r)
	vary := strings.Join(sink["Vary"], ", ")
	if h.anyOrigin() {
		// rs/cors adds it here too, where it would only split caches.
		vary = ""
	}
	delete(sink, "Vary")
	return answer{fields: http.Header(sink), vary: vary}
}

// headerSink is a ResponseWriter that keeps only the header fields.
type headerSink http.Header

func (s headerSink) Header() http.Header          { return http.Header(s) }
func (headerSink) WriteHeader(int)                {}
func (headerSink) Write(data []byte) (int, error) { return len(data), nil }

// allowsCredentials reports whether the caller's browser may send credentials and show
// the response to a script.
func (a answer) allowsCredentials() bool {
	return a.fields.Get("Access-Control-Allow-Credentials") != ""
}

// apply replaces the CORS fields of a response by those of the answer. It may run again
// after other handlers have changed the header.
func (a answer) apply(header http.Header) {
	for name := range header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(header, name)
		}
	}
	for name, values := range a.fields {
		// Some values belong to rs/cors and are shared by all requests, and handlers
		// such as `header` change values in place.
		header[name] = slices.Clone(values)
	}
	if a.vary != "" {
		header["Vary"] = append(withoutOrigin(header["Vary"]), a.vary)
	}
}

// withoutOrigin returns the values of a Vary field without the member Origin.
func withoutOrigin(values []string) []string {
	var rest []string
	for _, value := range values {
		members := slices.DeleteFunc(strings.Split(value, ","), func(member string) bool {
			return strings.EqualFold(strings.TrimSpace(member), "Origin")
		})
		if len(members) > 0 {
			rest = append(rest, strings.TrimSpace(strings.Join(members, ",")))
		}
	}
	return rest
}
