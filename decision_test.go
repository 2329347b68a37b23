package requireauth

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store/memory"
)

// firm is a scheme of a test that says the same of every credential.
type firm struct {
	authn.Scheme
	outcome authn.Outcome
}

func (f *firm) Verify(context.Context, *authn.Request, authn.Credential) authn.Outcome {
	return f.outcome
}

func TestVerifyAny(t *testing.T) {
	reason := errors.New("a reason")
	outcomes := map[string]authn.Outcome{
		"skipped":     authn.Skip(authn.CodeInvalidToken, reason),
		"rejected":    authn.Reject(authn.CodeInvalidToken, reason),
		"unavailable": authn.Unavailable(0, reason),
		"accepted":    authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal),
		"further":     {Verdict: authn.Rejected, Code: authn.CodeInvalidToken, Reason: reason, Progress: 3},
		"expired":     {Verdict: authn.Rejected, Code: authn.CodeExpiredToken, Reason: reason, Progress: 9},
		"revoked":     {Verdict: authn.Rejected, Code: authn.CodeRevokedToken, Reason: reason, Progress: 9},
		"empty":       authn.Accept(nil, authn.SourceLocal),
	}
	for name, row := range map[string]struct {
		words   []string
		decided int // whose outcome counts
		verdict authn.Verdict
	}{
		"O-1: a credential of another scheme":                {[]string{"skipped", "accepted"}, 1, authn.Accepted},
		"O-1: a credential of no scheme":                     {[]string{"skipped", "skipped"}, 0, authn.NotApplicable},
		"REALM-1: refused by the first, accepted by another": {[]string{"rejected", "accepted"}, 1, authn.Accepted},
		"REALM-1: refused by the second":                     {[]string{"skipped", "rejected", "accepted"}, 2, authn.Accepted},
		"REALM-1: the first cannot decide":                   {[]string{"unavailable", "accepted"}, 1, authn.Accepted},
		"REALM-1: accepted by the first":                     {[]string{"accepted", "rejected"}, 0, authn.Accepted},
		"REALM-1: the refusal that got furthest":             {[]string{"rejected", "further", "rejected"}, 1, authn.Rejected},
		"REALM-1: expired for one, accepted by another":      {[]string{"expired", "accepted"}, 1, authn.Accepted},
		"REALM-1: of equal refusals the first":               {[]string{"rejected", "rejected"}, 0, authn.Rejected},
		"O-1: one that cannot decide might accept":           {[]string{"rejected", "unavailable", "further"}, 1, authn.TemporarilyUnavailable},
		"O-1: one that cannot decide accepts none expired":   {[]string{"unavailable", "expired"}, 1, authn.Rejected},
		"O-1: one that cannot decide accepts none revoked":   {[]string{"revoked", "unavailable"}, 0, authn.Rejected},
		"O-2: a scheme that accepts without an identity":     {[]string{"empty", "rejected"}, 0, authn.Rejected},
		"O-2: the same for a credential of another scheme":   {[]string{"skipped", "empty"}, 1, authn.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			var candidates []candidate
			for _, word := range row.words {
				candidates = append(candidates, candidate{scheme: &namedScheme{name: word, Scheme: &firm{outcome: outcomes[word]}, store: memory.New()}})
			}
			state := &requestState{explained: new(Explanation)} // which is not measured
			state.request.Read(httptest.NewRequest("GET", "/", nil))
			var d decision
			verifyAny(state, candidates, &d)
			if d.scheme != candidates[row.decided].scheme || d.outcome.Verdict != row.verdict {
				t.Errorf("%s: %+v", d.scheme.name, d.outcome)
			}
			if (d.outcome.Identity != nil) != (row.verdict == authn.Accepted) {
				t.Errorf("identity %+v", d.outcome.Identity)
			}
		})
	}
}

// ofResource is a scheme of a test that accepts at the gate of one resource.
type ofResource struct {
	authn.Scheme
	calls int
}

func (s *ofResource) Verify(_ context.Context, r *authn.Request, _ authn.Credential) authn.Outcome {
	s.calls++
	if !r.MeansAudience("https://one.example/") {
		return authn.Reject(authn.CodeInvalidToken, errors.New("for another gate"))
	}
	return authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal)
}

// TestVerifyAtSeveralGates has an outcome that depends on the gate, and one that
// does not.
func TestVerifyAtSeveralGates(t *testing.T) {
	state := &requestState{explained: new(Explanation)}
	state.request.Read(httptest.NewRequest("GET", "/", nil))
	scheme := new(ofResource)
	one := candidate{scheme: &namedScheme{Scheme: scheme, store: memory.New()}, credential: authn.Credential{Value: "x", Location: authn.AuthorizationField}}
	for _, gate := range []struct {
		audience string
		verdict  authn.Verdict
	}{{"https://one.example/", authn.Accepted}, {"https://two.example/", authn.Rejected}, {"", authn.Rejected}, {"https://one.example/", authn.Accepted}} {
		t.Run("JWT-9: at the gate of "+gate.audience, func(t *testing.T) {
			state.request.SetGate(&authn.Gate{Audience: gate.audience})
			if got := state.verify(one); got.Verdict != gate.verdict {
				t.Errorf("verdict %d: %v", got.Verdict, got.Reason)
			}
		})
	}
	t.Run("JWT-9: each gate asks", func(t *testing.T) {
		if scheme.calls != 4 {
			t.Errorf("asked %d times", scheme.calls)
		}
	})
	t.Run("an outcome that does not depend on the gate is recalled", func(t *testing.T) {
		firm := &firm{outcome: authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal)}
		one.scheme = &namedScheme{Scheme: firm, store: memory.New()}
		state.verify(one)
		firm.outcome = authn.Reject(authn.CodeInvalidToken, errors.New("bad"))
		if got := state.verify(one); got.Verdict != authn.Accepted {
			t.Errorf("verdict %d: %v", got.Verdict, got.Reason)
		}
		one.credential.Value = "y"
		if got := state.verify(one); got.Verdict != authn.Rejected {
			t.Errorf("of another credential: verdict %d", got.Verdict)
		}
	})
}

// groupedScheme is a scheme of a test: its name says what it finds.
type groupedScheme struct {
	authn.Scheme
	group, issuer string
	unnamed       bool
}

func (k groupedScheme) Group() string { return k.group }
func (groupedScheme) IssuerOf(_ *authn.Request, credential authn.Credential) string {
	return credential.Value
}
func (k groupedScheme) AcceptsIssuer() (string, bool) { return k.issuer, k.unnamed }

func TestGroupSchemes(t *testing.T) {
	type other struct{ authn.Scheme }
	groups := groupSchemes([]*namedScheme{
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
	for _, f := range groups {
		got = append(got, names(f.members))
	}
	want := [][]string{{"first", "any", "second", "again"}, {"lone"}, {"elsewhere"}, {"lone too"}}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Fatalf("groups %q", got)
	}
	for issuer, want := range map[string][]string{
		"1": {"first", "any", "again"}, "2": {"any", "second"}, "3": {"any"}, "": {"any", "second"},
	} {
		t.Run("JWT-8: candidates for "+issuer, func(t *testing.T) {
			if got := names(groups[0].candidatesFor(nil, authn.Credential{Value: issuer})); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	strict := groupSchemes([]*namedScheme{{name: "first", Scheme: groupedScheme{group: "a", issuer: "1"}}, {name: "second", Scheme: groupedScheme{group: "a", issuer: "2"}}})[0]
	for _, issuer := range []string{"", "3"} {
		t.Run("JWT-8: the first refuses "+issuer, func(t *testing.T) {
			if got := names(strict.candidatesFor(nil, authn.Credential{Value: issuer})); !slices.Equal(got, []string{"first"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}
