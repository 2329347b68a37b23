package apikey

import (
	"reflect"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestSecuritySchemes(t *testing.T) {
	a := &APIKey{From: []authn.Location{
		{Kind: inAuthorization}, {Kind: inAuthorization, Name: "basic"}, {Kind: authn.InQuery, Name: "key"},
	}}
	want := []authn.SecurityScheme{
		{Type: "http", Scheme: "bearer"},
		{Type: "http", Scheme: "basic", Variant: "basic"},
		{Type: "apiKey", Kind: authn.InQuery, Name: "key", Variant: "query"},
	}
	if got := a.SecuritySchemes(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCheckLocations(t *testing.T) {
	at := func(names ...string) (all []authn.Location) {
		for _, name := range names {
			all = append(all, authn.Location{Kind: inAuthorization, Name: name})
		}
		return all
	}
	for _, invalid := range [][]authn.Location{at("DPoP"), at("a b"), at("", "bearer"), at("Token", "Token"), {{Kind: authn.InForm, Name: "key"}}, {{Kind: authn.InTLS}}} {
		if checkLocations(invalid) == nil {
			t.Errorf("accepted %+v", invalid)
		}
	}
	if err := checkLocations(at("Bearer", "Basic", "Token")); err != nil {
		t.Error(err)
	}
}
