package facade

import (
	"errors"
	"net/http"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// metadata is the document of RFC 8414 §2.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	IssuerInAnswer        bool     `json:"authorization_response_iss_parameter_supported"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported"`
}

// serveMetadata answers from the configuration alone.
func (f *Facade) serveMetadata(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	return writeJSON(w, http.StatusOK, metadata{
		Issuer:                f.issuer,
		AuthorizationEndpoint: f.url("authorize"),
		TokenEndpoint:         f.url("token"),
		RegistrationEndpoint:  f.url("register"),
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            []string{"authorization_code", "refresh_token"},
		AuthMethods:           []string{"none"},
		ChallengeMethods:      []string{"S256"},
		IssuerInAnswer:        true,
		ClientDocuments:       true,
	})
}

// The bounds of a registration.
const (
	maxRegistration = 16 << 10 // bytes
	maxRedirectURIs = 16
	maxName         = 256 // bytes
)

// registration is the answer to a client (RFC 7591 §3.2.1). It has no secret, and is
// not stored.
type registration struct {
	ClientID      string   `json:"client_id"`
	Name          string   `json:"client_name,omitempty"`
	RedirectURIs  []string `json:"redirect_uris"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
}

// register returns the one client that the provider knows.
func (f *Facade) register(w http.ResponseWriter, r *http.Request) error {
	answer, err := f.readRegistration(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, answer)
}

func (f *Facade) readRegistration(w http.ResponseWriter, r *http.Request) (*registration, error) {
	body, err := readBody(w, r, maxRegistration)
	if err != nil {
		return nil, oauthError("invalid_client_metadata", err.Error())
	}
	request, err := strictjson.Object(body)
	if err != nil {
		return nil, oauthError("invalid_client_metadata", "the body is not a JSON object")
	}
	uris, err := readURIs(request["redirect_uris"])
	if err != nil {
		return nil, oauthError("invalid_redirect_uri", err.Error())
	}
	for _, uri := range uris {
		if err := f.checkRedirect(uri); err != nil {
			return nil, oauthError("invalid_redirect_uri", err.Error())
		}
	}
	answer := &registration{
		ClientID: f.ClientID, RedirectURIs: uris, AuthMethod: "none",
		GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
	}
	if name, _ := request["client_name"].(string); len(name) <= maxName {
		answer.Name = name
	}
	return answer, nil
}

// readURIs reads a list of redirect URIs.
func readURIs(value any) ([]string, error) {
	list, _ := value.([]any)
	if len(list) == 0 || len(list) > maxRedirectURIs {
		return nil, errors.New("redirect_uris must be a list of 1 to 16 URIs")
	}
	uris := make([]string, len(list))
	for i, member := range list {
		uri, ok := member.(string)
		if !ok {
			return nil, errors.New("redirect_uris must be a list of strings")
		}
		uris[i] = uri
	}
	return uris, nil
}
