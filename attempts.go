package requireauth

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/guessing"
	"github.com/excorp/caddy-require-auth/internal/lasting"
)

// verify has a credential judged, unless it can be guessed and whoever presents
// it has failed too often.
func (g *RequireAuth) verify(state *requestState, r *http.Request, candidates []candidate) decision {
	credential := candidates[0].credential
	if g.app.limiter == nil || !guessable(candidates) || state.judged(credential) {
		return verifyAny(state, candidates)
	}
	if state.request.Trace.Skip("attempts", "an explanation is no attempt, and nobody has to wait for it") {
		return verifyAny(state, candidates)
	}
	address := authn.AddressOf(r)
	attempt := guessing.Attempt{Address: address, Credential: credential.Value, Who: func() guessing.Who {
		return guessing.Who{Client: authn.ClientOf(address), Account: accountOf(candidates)}
	}}
	var d decision
	refusal, refused := g.app.limiter.Judge(r.Context(), attempt, func() guessing.Verdict {
		d = verifyAny(state, candidates)
		return state.guessed(d.outcome.Verdict, credential)
	})
	if refused {
		return decision{scheme: candidates[0].scheme, credential: credential, outcome: refusal}
	}
	return d
}

// guessable reports whether any of the schemes that found a credential thinks
// that it could be guessed.
func guessable(candidates []candidate) bool {
	return slices.ContainsFunc(candidates, func(c candidate) bool {
		_, guessable := c.scheme.Scheme.(authn.Throttled)
		return guessable
	})
}

// accountOf returns whom a credential claims to be.
func accountOf(candidates []candidate) string {
	for _, c := range candidates {
		if scheme, guessable := c.scheme.Scheme.(authn.Throttled); guessable {
			if account := scheme.Account(c.credential); account != "" {
				return account
			}
		}
	}
	return ""
}

// judged reports whether an earlier gate has had a credential judged: one
// request is one attempt.
func (v *requestState) judged(credential authn.Credential) bool {
	for _, known := range v.verified {
		if known.credential == credential {
			return true
		}
	}
	return false
}

// guessed is what the verdict about a credential means for whoever may be
// guessing. A refusal counts if a scheme whose credentials can be guessed
// thinks that they are wrong, whatever others say.
func (v *requestState) guessed(verdict authn.Verdict, credential authn.Credential) guessing.Verdict {
	switch verdict {
	case authn.Accepted:
		return guessing.Good
	case authn.TemporarilyUnavailable:
		return guessing.Neither
	}
	for _, known := range v.verified {
		_, guessable := known.scheme.Scheme.(authn.Throttled)
		if guessable && known.credential == credential && known.outcome.Code == authn.CodeInvalidCredentials {
			return guessing.Wrong
		}
	}
	return guessing.Neither
}

// goodLogins is what the process knows of good logins.
var goodLogins = lasting.Value[*guessing.Memory]{New: guessing.NewMemory}

// limitAttempts begins to count failures, unless that is switched off.
func (a *App) limitAttempts(ctx caddy.Context) error {
	var limits guessing.Limits
	if a.Attempts != nil {
		limits = *a.Attempts
	}
	if limits.Off {
		return nil
	}
	a.limiter = guessing.New(limits, a.store, goodLogins.Acquire(), ctx.Logger())
	return nil
}

// Cleanup lets go of what outlives a configuration.
func (a *App) Cleanup() error {
	if a.limiter == nil {
		return nil
	}
	return goodLogins.Release()
}
