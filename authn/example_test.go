package authn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

// Sessions is a scheme for the session cookie of an application. With its
// registration (`caddy.RegisterModule(new(Sessions))` in init) a gate accepts
// `"inline": {"app": {"scheme": "sessions"}}`.
type Sessions struct {
	// Users has the user of each session.
	Users map[string]string `json:"users"`
}

func (*Sessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: authn.Namespace + ".sessions", New: func() caddy.Module { return new(Sessions) }}
}

func (*Sessions) Find(r *authn.Request) (authn.Credential, error) {
	return authn.FindIn(r, []authn.Location{{Kind: authn.InCookie, Name: "session"}})
}

func (s *Sessions) Verify(_ context.Context, _ *authn.Request, session authn.Credential) authn.Outcome {
	user, found := s.Users[session.Value]
	if !found {
		return authn.Reject(authn.CodeInvalidCredentials, errors.New("unknown session"))
	}
	return authn.Accept(&authn.Identity{ID: user, Roles: []string{"member"}}, authn.SourceLocal)
}

func (*Sessions) Challenges(params authn.ChallengeParams) []authn.Challenge {
	if !params.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "Session", Realm: params.Realm}}
}

func ExampleScheme() {
	var scheme authn.Scheme = &Sessions{Users: map[string]string{"8f14e45f": "alice"}}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "session=8f14e45f")
	request := authn.NewRequest(r)
	credential, _ := scheme.Find(request)
	fmt.Println(scheme.Verify(r.Context(), request, credential).Identity.ID)
	fmt.Println(scheme.Challenges(authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api"})[0])
	// Output:
	// alice
	// Session realm="api"
}
