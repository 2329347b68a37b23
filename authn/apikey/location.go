package apikey

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// inAuthorization is the Authorization field. The name of such a location is the
// authentication scheme before the key.
const inAuthorization authn.LocationKind = "authorization"

// defaultLocation is the location of a key if none is configured.
var defaultLocation = authn.Location{Kind: authn.InHeader, Name: "X-API-Key"}

// checkLocation validates a configured location. The field Authorization has a
// kind of its own, because a scheme name precedes the key.
func checkLocation(location authn.Location) error {
	switch {
	case location.Kind == inAuthorization && strings.EqualFold(location.Name, "DPoP"):
		return errors.New("an API key cannot be bound to a proof: write `from authorization Bearer`")
	case location.Kind == inAuthorization && location.Name != "":
		// Each name of a scheme is also one of a field.
		return authn.Location{Kind: authn.InHeader, Name: location.Name}.Check()
	case location.Kind == inAuthorization:
		return nil
	case location.Kind != authn.InHeader && location.Kind != authn.InQuery && location.Kind != authn.InCookie:
		return fmt.Errorf("invalid location %q of an API key: write header, query, cookie or authorization", location.Kind)
	case location.VaryField() == "Authorization":
		return errors.New("a scheme name precedes the key in Authorization: write `from authorization Bearer`")
	}
	return location.Check()
}

// checkLocations validates the configured locations.
func checkLocations(locations []authn.Location) error {
	schemes := make(map[string]bool)
	for _, location := range locations {
		if err := checkLocation(location); err != nil {
			return err
		}
		if location.Kind != inAuthorization {
			continue
		}
		name := schemeOf(location)
		if schemes[name] {
			return fmt.Errorf("duplicate authorization %s: keep one", name)
		}
		schemes[name] = true
	}
	return capability.CheckDistinct(locations)
}

// schemeOf returns the authentication scheme of a location in Authorization, in
// the spelling of its specification.
func schemeOf(location authn.Location) string {
	for _, name := range []string{"Bearer", "Basic"} {
		if strings.EqualFold(location.Name, name) {
			return name
		}
	}
	if location.Name == "" {
		return "Bearer"
	}
	return location.Name
}

// setLocations separates the locations that Find reads.
func (a *APIKey) setLocations() {
	if len(a.From) == 0 {
		a.From = []authn.Location{defaultLocation}
	}
	for _, location := range a.From {
		if location.Kind == inAuthorization {
			a.schemes = append(a.schemes, schemeOf(location))
			continue
		}
		if location.Kind == authn.InHeader {
			location.Name = http.CanonicalHeaderKey(location.Name) // once, because each request reads it
		}
		a.fields = append(a.fields, location)
	}
}

// Find looks for a key in the configured locations. Two different keys are an error.
func (a *APIKey) Find(r *authn.Request) (authn.Credential, error) {
	found, err := authn.FindIn(r, a.fields)
	if err != nil || len(a.schemes) == 0 {
		return found, err
	}
	authorization, err := r.Authorization()
	if err != nil {
		return authn.Credential{}, err
	}
	for _, scheme := range a.schemes {
		if !authorization.Is(scheme) {
			continue
		}
		if found.Found() && found.Value != authorization.Value {
			return authn.Credential{}, authn.MultipleCredentials(authn.AuthorizationField, found.Location)
		}
		return authn.Credential{Scheme: scheme, Value: authorization.Value, Location: authn.AuthorizationField}, nil
	}
	return found, nil
}

// Locations lists the locations of keys in a request.
func (a *APIKey) Locations() []authn.Location {
	if len(a.schemes) == 0 {
		return a.fields
	}
	return append([]authn.Location{authn.AuthorizationField}, a.fields...)
}

// ReadsForm reports whether the scheme reads a credential. Schemes of tokens read a
// JWS.
func (*APIKey) ReadsForm(jws bool) bool { return !jws }

// keyOf returns the key of a credential: with Basic it is the password, whatever
// the user name is. It is empty for a malformed credential.
func keyOf(credential authn.Credential) string {
	if credential.Scheme != "Basic" {
		return credential.Value
	}
	request := http.Request{Header: http.Header{"Authorization": {"Basic " + credential.Value}}}
	_, password, _ := request.BasicAuth()
	return password
}

// Interface guards
var (
	_ capability.FormReader     = (*APIKey)(nil)
	_ capability.LocationLister = (*APIKey)(nil)
)
