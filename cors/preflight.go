package cors

import "net/http"

// IsPreflight reports whether r has the shape of a CORS preflight: OPTIONS with
// one Origin, one Access-Control-Request-Method, and nothing that browsers
// leave out there. It knows the usual names only; a credential in a place of
// its own is for a [CredentialFinder] to see.
func IsPreflight(r *http.Request) bool {
	if r.Method != http.MethodOptions || !one(r.Header["Origin"]) || !one(r.Header["Access-Control-Request-Method"]) {
		return false
	}
	for _, name := range absentFromPreflights {
		if _, found := r.Header[name]; found {
			return false
		}
	}
	return true
}

// one reports whether a field stands once and says something.
func one(values []string) bool { return len(values) == 1 && values[0] != "" }

// absentFromPreflights are the request fields, in canonical form, that no
// browser sends along with a preflight: credentials, which it would otherwise
// carry past the gate, and names of another method, which an upstream would
// follow.
var absentFromPreflights = []string{
	"Authorization",
	"Proxy-Authorization",
	"Dpop",
	"Cookie",
	"X-Api-Key",
	"X-Http-Method-Override",
	"X-Http-Method",
	"X-Method-Override",
}

// CredentialFinder is implemented by the app `auth`, which knows every place
// where a declared scheme finds its credential.
//
// What a browser does send along with a preflight is not to be reported: the
// query, which belongs to the URL, and the client certificate, which belongs to
// the connection.
type CredentialFinder interface {
	CarriesCredential(*http.Request) bool
}

// isPreflight is [IsPreflight] with the places of the declared schemes.
func (h *Handler) isPreflight(r *http.Request) bool {
	if !IsPreflight(r) {
		return false
	}
	finder, known := h.auth().(CredentialFinder)
	return !known || !finder.CarriesCredential(r)
}

// PublicDocuments is implemented by the app `auth` where it knows of documents
// that every origin may read whatever the site allows, such as the metadata of
// RFC 9728. They are served with CORS fields of their own, preflights included.
type PublicDocuments interface {
	ReadableByAll(*http.Request) bool
}

// readableByAll reports whether the request is for such a document.
func (h *Handler) readableByAll(r *http.Request) bool {
	documents, known := h.auth().(PublicDocuments)
	return known && documents.ReadableByAll(r)
}
