package resource

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Directory is implemented by the app `auth`, which knows the gates of every resource.
// Each request for a document calls it.
type Directory interface {
	// ResourceFacts returns what the gates of a resource require and accept.
	ResourceFacts(resource string) (Facts, bool)
	// Resources returns the resources that gates name, each once.
	Resources() []Resource
}

// Facts is what the gates of a resource require and accept, in any order.
type Facts struct {
	// AuthorizationServers are the issuers of the accepted tokens.
	AuthorizationServers []string
	// Scopes are the scopes that the gates require.
	Scopes []string
	// BearerMethods are the locations of a token: header, body, query.
	BearerMethods []string
	// DPoPAlgorithms are the algorithms of proofs; empty without DPoP.
	DPoPAlgorithms []string
	// DPoPRequired means that every token must be bound to a key.
	DPoPRequired bool
	// CertificateBound means that every token must be bound to a certificate.
	CertificateBound bool
}

// metadata is the document of RFC 9728 §2. Nothing empty is written (§3.2).
type metadata struct {
	Resource             string   `json:"resource"`
	Name                 string   `json:"resource_name,omitempty"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
	PolicyURI            string   `json:"resource_policy_uri,omitempty"`
	TermsURI             string   `json:"resource_tos_uri,omitempty"`
	CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPAlgorithms       []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

// describe joins the configuration with the facts of the gates.
func (r *Resource) describe(facts Facts) metadata {
	servers := sorted(facts.AuthorizationServers)
	if len(r.AuthorizationServers) > 0 {
		servers = distinct(r.AuthorizationServers)
	}
	scopes := facts.Scopes
	if len(r.Scopes) > 0 {
		scopes = r.Scopes
	}
	return metadata{
		Resource:             r.URL,
		Name:                 r.Name,
		AuthorizationServers: servers,
		Scopes:               slices.DeleteFunc(sorted(scopes), func(scope string) bool { return scope == "offline_access" }),
		BearerMethods:        sorted(facts.BearerMethods),
		Documentation:        r.Documentation,
		PolicyURI:            r.PolicyURI,
		TermsURI:             r.TermsURI,
		CertificateBound:     facts.CertificateBound,
		DPoPAlgorithms:       sorted(facts.DPoPAlgorithms),
		DPoPRequired:         facts.DPoPRequired,
	}
}

// sorted returns a sorted copy without duplicates, so that the document and its ETag
// change only with the facts.
func sorted(values []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// distinct returns a copy without duplicates. The first of equal values stays.
func distinct(values []string) []string {
	var rest []string
	for _, value := range values {
		if !slices.Contains(rest, value) {
			rest = append(rest, value)
		}
	}
	return rest
}

// document is a served resource.
type document struct {
	*Resource
	query    string // without its question mark
	warnOnce sync.Once
}

// serve answers GET and HEAD.
func (d *document) serve(w http.ResponseWriter, r *http.Request, facts Facts, logger *zap.Logger) error {
	described := d.describe(facts)
	if len(described.AuthorizationServers) == 0 {
		d.warnOnce.Do(func() {
			logger.Warn("the metadata of a protected resource names no authorization server, so clients cannot learn where to get a token",
				zap.String("resource", d.URL))
		})
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(described); err != nil {
		return err
	}
	digest := sha256.Sum256(body.Bytes())
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString(digest[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body.Bytes()))
	return nil
}
