package answers

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
)

func init() { caddy.RegisterModule(new(probe)) }

// probe is a scheme as another plugin could bring it. The field X-Probe says
// how it behaves.
type probe struct{}

// secretCause is what no client may see.
const secretCause = "cause-known-to-the-log-only"

// The number of requests to each probe. A test that may go round in circles sets finds
// to zero, before and after.
var finds, verifications atomic.Int64

func (*probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: authn.Namespace + ".probe", New: func() caddy.Module { return new(probe) }}
}

func (*probe) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*probe) Find(r *authn.Request) (authn.Credential, error) {
	if finds.Add(1) > 1000 {
		panic(http.ErrAbortHandler) // something goes round in circles
	}
	value := r.Header.Get("X-Probe")
	if value == "" {
		return authn.Credential{}, nil
	}
	return authn.Credential{Value: value, Location: authn.Location{Kind: authn.InHeader, Name: "X-Probe"}}, nil
}

func (*probe) Verify(_ context.Context, _ *authn.Request, c authn.Credential) authn.Outcome {
	verifications.Add(1)
	cause := errors.New(secretCause)
	switch c.Value {
	case "good":
		return authn.Accept(&authn.Identity{ID: "prober"}, authn.SourceLocal)
	case "nobody":
		return authn.Outcome{Verdict: authn.Accepted}
	case "zero":
		return authn.Outcome{}
	case "unknown verdict":
		return authn.Outcome{Verdict: 77, Identity: &authn.Identity{ID: "prober"}}
	case "unknown code":
		return authn.Reject("no_such_code", cause)
	case "unavailable":
		return authn.Unavailable(90*time.Second, cause)
	case "unavailable, who knows":
		return authn.Unavailable(0, cause)
	case "attempts":
		return authn.Outcome{Code: authn.CodeTooManyAttempts, Reason: cause, RetryAfter: 30 * time.Second}
	case "revoked":
		return authn.Reject(authn.CodeRevokedToken, cause)
	case "session":
		return authn.Reject(authn.CodeInsufficientSession, cause)
	case "panic":
		panic(secretCause)
	}
	return authn.Reject(authn.CodeInvalidCredentials, cause)
}

func (*probe) Challenges(send authn.ChallengeParams) []authn.Challenge {
	if !send.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "Probe", Realm: send.RealmFor("")}}
}

var (
	_ authn.Scheme          = (*probe)(nil)
	_ caddyfile.Unmarshaler = (*probe)(nil)
)
