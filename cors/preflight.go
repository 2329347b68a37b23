package cors

import (
	"net/http"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
)

// IsPreflight reports whether r has the shape of a CORS preflight: OPTIONS with
// one Origin, one Access-Control-Request-Method, and nothing that browsers
// leave out there. It knows the usual names only; a credential in a place of its
// own is for a [CredentialFinder] to see. A body does not count, because HTTP/3
// does not tell whether there will be one: who lets a preflight pass leaves it out.
func IsPreflight(r *http.Request) bool {
	if r.Method != http.MethodOptions || !one(r.Header["Origin"]) || !one(r.Header["Access-Control-Request-Method"]) {
		return false
	}
	for name := range r.Header {
		if absentFromPreflights[fieldname.Fold(name)] {
			return false
		}
	}
	return true
}

// one reports whether a field stands once and says something.
func one(values []string) bool { return len(values) == 1 && values[0] != "" }

// absentFromPreflights are the request fields, folded, that no browser sends
// along with a preflight: credentials, which it would otherwise carry past the
// gate, names of another method, which an upstream would follow, and what makes
// a tunnel of the connection.
var absentFromPreflights = map[string]bool{
	"authorization":          true,
	"proxy-authorization":    true,
	"dpop":                   true,
	"cookie":                 true,
	"x-api-key":              true,
	"x-http-method-override": true,
	"x-http-method":          true,
	"x-method-override":      true,
	"upgrade":                true,
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

// PublicDocumentVar is the request variable that is true when the handler of a
// public document has answered, with CORS fields of its own.
const PublicDocumentVar = "cors.public_document"

// PublicDocuments is implemented by the app `auth` where it knows of documents
// that every origin may read whatever the site allows, such as the metadata of
// RFC 9728. Their handler sets [PublicDocumentVar]. A path alone does not tell:
// what answers below it may be an upstream.
type PublicDocuments interface {
	// ReadableByAll reports whether a request may be for such a document.
	ReadableByAll(*http.Request) bool
	// AnswerPreflight answers a preflight to one.
	AnswerPreflight(http.ResponseWriter)
}

// documentsFor returns the public documents where the request may be for one.
func (h *Handler) documentsFor(r *http.Request) PublicDocuments {
	documents, known := h.auth().(PublicDocuments)
	if !known || !documents.ReadableByAll(r) {
		return nil
	}
	return documents
}
