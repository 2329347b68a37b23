package requireauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/challenge"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// retryAfter is when to ask again if a scheme does not know better.
const retryAfter = 5 * time.Second

// deny answers a request that is not let through.
func (g *RequireAuth) deny(w http.ResponseWriter, r *http.Request, visit *visit, made ruling) error {
	if g.hides(made.Code) {
		// What Caddy does itself where there is nothing.
		return caddyhttp.Error(http.StatusNotFound, nil)
	}
	answer := denial.Denial{
		Code:           made.Code,
		RequiredScopes: made.RequiredScopes,
		RequiredRoles:  made.RequiredRoles,
		Challenges:     g.challenges(r, made),
		TraceID:        visit.traceID(g.app, r),
		LoginURL:       g.LoginURL,
	}
	if made.Code == authn.CodeUnavailable {
		answer.RetryAfter = retryAfter
		if made.outcome.RetryAfter > 0 {
			answer.RetryAfter = made.outcome.RetryAfter
		}
	}
	visit.denied = &answer
	answer.SetHeader(w.Header())
	if served := g.pages.serve(w, r, answer); served {
		return nil
	}
	return answer.Write(w, r, g.ErrorFormat)
}

// hides reports whether a code is answered as if there were nothing.
func (g *RequireAuth) hides(code authn.Code) bool {
	switch code.Status() {
	case http.StatusForbidden:
		return g.Hide != ""
	case http.StatusBadRequest, http.StatusUnauthorized:
		return g.Hide == hideAll
	default:
		return false
	}
}

// challenges returns the field values of WWW-Authenticate: from the scheme
// whose credential was presented with what was wrong, from the others, in an
// answer to a caller who is not known, with how to become known.
func (g *RequireAuth) challenges(r *http.Request, made ruling) []string {
	var all []challenge.Challenge
	scopes := g.ChallengeScopes()
	for i := range g.schemes {
		scheme := &g.schemes[i]
		ask := authn.Ask{Code: made.Code, Realm: g.app.Realm, Scope: scopes}
		if made.Code == authn.CodeInsufficientSession && made.scheme == scheme {
			ask.ACRValues, ask.MaxAge = g.ACR, time.Duration(g.MaxAge)
		}
		if made.scheme != scheme && made.Code != authn.CodeInvalidRequest {
			ask.Code = authn.CodeMissing
			if made.Code.Status() != http.StatusUnauthorized {
				continue
			}
		}
		all = append(all, scheme.Challenges(ask)...)
	}
	if isScript(r) {
		all = withoutPrompt(all)
	}
	return challenge.Fields(all)
}

// isScript reports whether a script asks, and no person by navigation.
func isScript(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Header.Get("X-Requested-With") != "" || mode != "" && mode != "navigate"
}

// withoutPrompt takes out what makes a browser open its password window, which
// no script can close: Basic challenges, or their name if there is no other.
func withoutPrompt(all []challenge.Challenge) []challenge.Challenge {
	var others, basic []challenge.Challenge
	for _, c := range all {
		if c.Scheme == "Basic" {
			basic = append(basic, challenge.Challenge{Scheme: "xBasic", Realm: c.Realm})
		} else {
			others = append(others, c)
		}
	}
	if len(others) == 0 {
		return basic
	}
	return others
}

// errDenied is what error pages see as `{http.error.message}`: it is public.
func errDenied(answer denial.Denial) error { return errors.New(answer.Code.Detail()) }
