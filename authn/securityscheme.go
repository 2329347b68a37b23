package authn

// SecuritySchemer is implemented by schemes that describe themselves in an OpenAPI
// document. It works before Provision, from the configuration alone.
type SecuritySchemer interface {
	SecuritySchemes() []SecurityScheme
}

// SecurityScheme is a Security Scheme Object of OpenAPI 3. Several objects of one
// scheme are alternatives.
type SecurityScheme struct {
	// Variant distinguishes the alternatives. It is added to the name of the scheme.
	// One alternative should have none.
	Variant string `json:"-"`

	// Type is http, apiKey, openIdConnect, oauth2 or mutualTLS.
	Type string `json:"type"`
	// Scheme and BearerFormat are of the type http.
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	// In and Name are of the type apiKey.
	Kind LocationKind `json:"in,omitempty"`
	Name string       `json:"name,omitempty"`
	// OpenIDConnectURL is of the type openIdConnect.
	OpenIDConnectURL string `json:"openIdConnectUrl,omitempty"`
}
