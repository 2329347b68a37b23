package authn

// SecuritySchemer is implemented by schemes that can say in an OpenAPI document how
// clients use them. It is asked of schemes that are configured and not
// provisioned too, and answers from the configuration alone.
type SecuritySchemer interface {
	SecuritySchemes() []SecurityScheme
}

// SecurityScheme is a Security Scheme Object of OpenAPI 3. Several of one
// scheme are alternatives.
type SecurityScheme struct {
	// Variant tells the alternatives apart: it is added to the name of the
	// scheme. One should have none.
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
