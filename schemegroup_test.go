package requireauth

import (
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// groupedScheme is a scheme of a test: its name says what it finds.
type groupedScheme struct {
	authn.Scheme
	group, issuer string
	unnamed       bool
}

func (k groupedScheme) Group() string                             { return k.group }
func (groupedScheme) IssuerOf(credential authn.Credential) string { return credential.Value }
func (k groupedScheme) AcceptsIssuer() (string, bool)             { return k.issuer, k.unnamed }

func TestFamilies(t *testing.T) {
	type other struct{ authn.Scheme }
	families := groupSchemes([]namedScheme{
		{name: "first", Scheme: groupedScheme{group: "a", issuer: "1"}},
		{name: "lone", Scheme: other{}},
		{name: "any", Scheme: groupedScheme{group: "a"}},
		{name: "second", Scheme: groupedScheme{group: "a", issuer: "2", unnamed: true}},
		{name: "again", Scheme: groupedScheme{group: "a", issuer: "1"}},
		{name: "elsewhere", Scheme: groupedScheme{group: "b", issuer: "1"}},
		{name: "lone too", Scheme: other{}},
	})
	names := func(schemes []*namedScheme) (all []string) {
		for _, scheme := range schemes {
			all = append(all, scheme.name)
		}
		return all
	}
	var got [][]string
	for _, f := range families {
		got = append(got, names(f.members))
	}
	want := [][]string{{"first", "any", "second", "again"}, {"lone"}, {"elsewhere"}, {"lone too"}}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Fatalf("families %q", got)
	}
	for owner, want := range map[string][]string{
		"1": {"first", "any", "again"}, "2": {"any", "second"}, "3": {"any"}, "": {"any", "second"},
	} {
		t.Run("JWT-8: judges for "+owner, func(t *testing.T) {
			if got := names(families[0].candidatesFor(authn.Credential{Value: owner})); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	strict := groupSchemes([]namedScheme{{name: "first", Scheme: groupedScheme{group: "a", issuer: "1"}}, {name: "second", Scheme: groupedScheme{group: "a", issuer: "2"}}})[0]
	for _, owner := range []string{"", "3"} {
		t.Run("JWT-8: somebody has to refuse "+owner, func(t *testing.T) {
			if got := names(strict.candidatesFor(authn.Credential{Value: owner})); !slices.Equal(got, []string{"first"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}
