package requireauth

import (
	"context"
	"errors"
	"net/http/httptest"
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

func TestAsk(t *testing.T) {
	reason := errors.New("a reason")
	outcomes := map[string]authn.Outcome{
		"foreign":     authn.Skip(authn.CodeInvalidToken, reason),
		"rejected":    authn.Reject(authn.CodeExpiredToken, reason),
		"unavailable": authn.Unavailable(0, reason),
		"accepted":    authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal),
		"nobody":      authn.Accept(nil, authn.SourceLocal),
	}
	for name, row := range map[string]struct {
		said    []string
		decided int // whose outcome counts
		verdict authn.Verdict
	}{
		"O-1: another one's credential":           {[]string{"foreign", "accepted"}, 1, authn.Accepted},
		"O-1: nobody's":                           {[]string{"foreign", "foreign"}, 0, authn.NotApplicable},
		"O-1: a bad one is good for nobody else":  {[]string{"rejected", "accepted"}, 0, authn.Rejected},
		"O-1: a bad one of the second":            {[]string{"foreign", "rejected", "accepted"}, 1, authn.Rejected},
		"O-1: one that cannot be judged":          {[]string{"unavailable", "accepted"}, 0, authn.TemporarilyUnavailable},
		"O-1: a good one is bad for nobody else":  {[]string{"accepted", "rejected"}, 0, authn.Accepted},
		"O-2: a scheme that accepts nobody":       {[]string{"nobody", "accepted"}, 0, authn.Rejected},
		"O-2: the same for another's credentials": {[]string{"foreign", "nobody"}, 1, authn.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			var candidates []candidate
			for _, said := range row.said {
				candidates = append(candidates, candidate{scheme: &namedScheme{name: said, Scheme: &firm{outcome: outcomes[said]}, store: memory.New()}})
			}
			state := &requestState{explained: new(Explanation)} // which is not measured
			state.request.Read(httptest.NewRequest("GET", "/", nil))
			d := verifyAny(state, candidates)
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
	asked int
}

func (s *ofResource) Verify(_ context.Context, r *authn.Request, _ authn.Credential) authn.Outcome {
	s.asked++
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
	asked := candidate{scheme: &namedScheme{Scheme: scheme, store: memory.New()}, credential: authn.Credential{Value: "x", Location: authn.AuthorizationField}}
	for _, gate := range []struct {
		audience string
		verdict  authn.Verdict
	}{{"https://one.example/", authn.Accepted}, {"https://two.example/", authn.Rejected}, {"", authn.Rejected}, {"https://one.example/", authn.Accepted}} {
		t.Run("JWT-9: at the gate of "+gate.audience, func(t *testing.T) {
			state.request.SetGate(authn.Gate{Audience: gate.audience})
			if got := state.verify(asked); got.Verdict != gate.verdict {
				t.Errorf("verdict %d: %v", got.Verdict, got.Reason)
			}
		})
	}
	t.Run("JWT-9: each gate asks", func(t *testing.T) {
		if scheme.asked != 4 {
			t.Errorf("asked %d times", scheme.asked)
		}
	})
	t.Run("an outcome that does not depend on the gate is recalled", func(t *testing.T) {
		firm := &firm{outcome: authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal)}
		asked.scheme = &namedScheme{Scheme: firm, store: memory.New()}
		state.verify(asked)
		firm.outcome = authn.Reject(authn.CodeInvalidToken, errors.New("bad"))
		if got := state.verify(asked); got.Verdict != authn.Accepted {
			t.Errorf("verdict %d: %v", got.Verdict, got.Reason)
		}
		asked.credential.Value = "y"
		if got := state.verify(asked); got.Verdict != authn.Rejected {
			t.Errorf("of another credential: verdict %d", got.Verdict)
		}
	})
}
