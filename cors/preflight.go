package cors

import (
	"net/http"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
)

// IsPreflight reports whether r has the form of a CORS preflight: OPTIONS with one
// Origin, one Access-Control-Request-Method, and nothing that browsers leave out. It
// knows only the usual names of credentials. A [CredentialFinder] finds a credential in
// another location. HTTP/3 does not announce a body, so a caller that passes a
// preflight on must remove it.
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

// one reports whether a field appears once and is not empty.
func one(values []string) bool { return len(values) == 1 && values[0] != "" }

// absentFromPreflights are the request fields, folded, that no browser sends with a
// preflight. They are credentials that would pass the gate, method overrides that an
// upstream would follow, and fields that switch the protocol of the connection.
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

// CredentialFinder is implemented by the app `auth`, which knows the locations of
// credentials of all declared schemes.
//
// It must not report the parts that a browser sends with a preflight: the query of the
// URL, and the client certificate of the connection.
type CredentialFinder interface {
	CarriesCredential(*http.Request) bool
}

// isPreflight is [IsPreflight] with the locations of the declared schemes.
func (h *Handler) isPreflight(r *http.Request) bool {
	if !IsPreflight(r) {
		return false
	}
	finder, ok := h.auth().(CredentialFinder)
	return !ok || !finder.CarriesCredential(r)
}

// PublicDocumentVar is the request variable that is true when the handler of a
// public document has answered, with CORS fields of its own.
const PublicDocumentVar = "cors.public_document"

// PublicDocuments is implemented by the app `auth`. It knows documents that every
// origin may read whatever the site allows, such as the metadata of RFC 9728. Their
// handler sets [PublicDocumentVar]. The path alone does not decide, because an upstream
// may answer there.
type PublicDocuments interface {
	// ReadableByAll reports whether a request may be for such a document.
	ReadableByAll(*http.Request) bool
	// AnswerPreflight answers a preflight to one.
	AnswerPreflight(http.ResponseWriter)
}

// documentsFor returns the public documents if the request may be for one.
func (h *Handler) documentsFor(r *http.Request) PublicDocuments {
	documents, ok := h.auth().(PublicDocuments)
	if !ok || !documents.ReadableByAll(r) {
		return nil
	}
	return documents
}
