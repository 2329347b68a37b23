package cors

import (
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// answer is what CORS has to say in one response.
type answer struct {
	// fields are all the Access-Control-* fields there are to be.
	fields http.Header
	// vary is added to the Vary field; empty where the origin makes no difference.
	vary string
}

// answerPreflight is the answer to a preflight.
func (h *Handler) answerPreflight(r *http.Request) answer {
	answer := h.ask(r)
	if !h.allowsFields(r.Header["Access-Control-Request-Headers"]) {
		answer.fields = nil
	}
	return answer
}

// allowsFields reports whether scripts may set all the request fields of these
// lists. rs/cors reads such a list only as browsers write it, sorted and in
// lower case; one that somebody typed to try things out is read here too.
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

// answerActual is the answer to every other request. rs/cors is shown no more
// than it reads, so that it takes no OPTIONS with a credential for a preflight.
func (h *Handler) answerActual(r *http.Request) answer {
	answer := h.ask(&http.Request{Method: r.Method, Header: http.Header{"Origin": r.Header["Origin"]}})
	if len(answer.fields) > 0 {
		// rs/cors would spell it Www-Authenticate.
		answer.fields["Access-Control-Expose-Headers"] = []string{h.exposed}
	}
	return answer
}

// ask has rs/cors answer the request into header fields of its own.
func (h *Handler) ask(r *http.Request) answer {
	said := sheet{}
	h.protocol.HandlerFunc(said, r)
	vary := strings.Join(said["Vary"], ", ")
	if h.anyOrigin() {
		// rs/cors adds it here too, where it would only split caches.
		vary = ""
	}
	delete(said, "Vary")
	return answer{fields: http.Header(said), vary: vary}
}

// sheet is a ResponseWriter that keeps the header fields and nothing else.
type sheet http.Header

func (s sheet) Header() http.Header          { return http.Header(s) }
func (sheet) WriteHeader(int)                {}
func (sheet) Write(data []byte) (int, error) { return len(data), nil }

// allowsCredentials reports whether the caller's browser may send credentials
// and show the response to a script.
func (a answer) allowsCredentials() bool {
	return a.fields.Get("Access-Control-Allow-Credentials") != ""
}

// apply makes the CORS fields of a response exactly those of the answer. It may
// be applied again after others have written to the same header.
func (a answer) apply(header http.Header) {
	for name := range header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(header, name)
		}
	}
	for name, values := range a.fields {
		// Some are rs/cors's own and shared by all requests, and handlers such
		// as `header` rewrite values in place.
		header[name] = slices.Clone(values)
	}
	if a.vary != "" {
		header["Vary"] = append(withoutOrigin(header["Vary"]), a.vary)
	}
}

// withoutOrigin returns the values of a Vary field less the member Origin.
func withoutOrigin(values []string) []string {
	var kept []string
	for _, value := range values {
		members := slices.DeleteFunc(strings.Split(value, ","), func(member string) bool {
			return strings.EqualFold(strings.TrimSpace(member), "Origin")
		})
		if len(members) > 0 {
			kept = append(kept, strings.TrimSpace(strings.Join(members, ",")))
		}
	}
	return kept
}
