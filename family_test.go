package requireauth

import (
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// kindred is a scheme of a test: its name says what it finds.
type kindred struct {
	authn.Scheme
	kin, owner string
	unnamed    bool
}

func (k kindred) Kin() string                            { return k.kin }
func (kindred) Owner(credential authn.Credential) string { return credential.Value }
func (k kindred) Owns() (string, bool)                   { return k.owner, k.unnamed }

func TestFamilies(t *testing.T) {
	type other struct{ authn.Scheme }
	families := familiesOf([]namedScheme{
		{name: "first", Scheme: kindred{kin: "a", owner: "1"}},
		{name: "lone", Scheme: other{}},
		{name: "any", Scheme: kindred{kin: "a"}},
		{name: "second", Scheme: kindred{kin: "a", owner: "2", unnamed: true}},
		{name: "again", Scheme: kindred{kin: "a", owner: "1"}},
		{name: "elsewhere", Scheme: kindred{kin: "b", owner: "1"}},
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
			if got := names(families[0].judges(authn.Credential{Value: owner})); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	strict := familiesOf([]namedScheme{{name: "first", Scheme: kindred{kin: "a", owner: "1"}}, {name: "second", Scheme: kindred{kin: "a", owner: "2"}}})[0]
	for _, owner := range []string{"", "3"} {
		t.Run("JWT-8: somebody has to refuse "+owner, func(t *testing.T) {
			if got := names(strict.judges(authn.Credential{Value: owner})); !slices.Equal(got, []string{"first"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}
