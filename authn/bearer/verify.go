package bearer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/store"
)

// Locations lists where credentials may be.
func (b *Bearer) Locations() []authn.Location { return b.TokenFrom }

// Find looks for a token in the configured locations. The same token in several of them
// is one. The field Authorization comes first, because only a client that has the token
// can set it.
func (b *Bearer) Find(r *authn.Request) (authn.Credential, error) {
	var found authn.Credential
	for _, location := range b.TokenFrom {
		one, err := b.findIn(r, location)
		switch {
		case err != nil:
			return authn.Credential{}, err
		case !one.Found():
		case found.Found() && found.Value != one.Value:
			return authn.Credential{}, authn.MultipleCredentials(found.Location, location)
		case !found.Found() || location == authn.AuthorizationField:
			found = one
		}
	}
	return found, nil
}

// findIn looks for a token in one location.
func (b *Bearer) findIn(r *authn.Request, location authn.Location) (authn.Credential, error) {
	if location != authn.AuthorizationField {
		found, err := authn.FindIn(r, []authn.Location{location})
		if err != nil || !found.Found() {
			return authn.Credential{}, err
		}
		found.Scheme = bearerScheme
		if scheme, token, both := strings.Cut(found.Value, " "); both && location.Kind == authn.InHeader && strings.EqualFold(scheme, bearerScheme) {
			found.Value = strings.TrimLeft(token, " ")
		}
		return found, nil
	}
	authorization, err := r.Authorization()
	switch {
	case err != nil:
		return authn.Credential{}, err
	case authorization.Is(bearerScheme):
		return authn.Credential{Scheme: bearerScheme, Value: authorization.Value, Location: location}, nil
	case authorization.Is(dpopScheme) && enabled(b.DPoP):
		return authn.Credential{Scheme: dpopScheme, Value: authorization.Value, Location: location}, nil
	}
	return authn.Credential{}, nil
}

// Verify decides about a token. A token in the cache has passed the checks of
// its text before. The proof of possession and the revocation are looked at each
// time.
func (b *Bearer) Verify(ctx context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	key := cacheKey{digest: r.DigestOf(credential.Value), config: b.config}
	keys := b.keys.Fingerprint() // before the checks: what old keys verify must not count for new ones
	token, outcome, found := b.lookup(r, key, keys, credential.Value)
	if !found {
		token, outcome = b.runChecks(ctx, r, credential, key, keys)
	}
	if outcome.Verdict != authn.Accepted {
		return outcome
	}
	nonce, err := b.checkPossession(ctx, r, credential, token.more().bound)
	if r.Trace.Note("proof_of_possession", err) != nil {
		return b.refusePossession(err)
	}
	if denied := b.checkRevocation(token, outcome.Identity, credential.Value); denied != nil {
		_ = r.Trace.Note("revocation", denied.Reason)
		return *denied
	}
	_ = r.Trace.Note("revocation", nil)
	outcome.Nonce = nonce
	return outcome
}

// lookup returns what the cache knows of a token: that it is good for this gate,
// or why it was refused a moment ago. A withdrawn key ends what it verified,
// because the fingerprint of the keys changes.
func (b *Bearer) lookup(r *authn.Request, key cacheKey, keys uint64, text string) (*cachedToken, authn.Outcome, bool) {
	if b.cache == nil || r.Trace != nil {
		return nil, authn.Outcome{}, false
	}
	now := b.now()
	token := b.cache.token(key)
	switch {
	case token == nil:
		denied, found := b.cache.refusal(key, keys, now)
		return nil, denied, found
	case token.grant.Value().keys != keys, now.UnixMilli() >= token.until:
		return nil, authn.Outcome{}, false
	case token.more().audience != "" && !r.MeansAudience(token.more().audience):
		return nil, authn.Outcome{}, false
	}
	return token, token.outcome(text), true
}

// checkPossession decides whether the sender of a token may use it. A token that is
// bound to a key or a certificate is invalid without it. It runs when all else is well,
// so that only holders of good tokens reach the memory of used proofs.
//
// It returns a nonce if the client should use another one from now on.
func (b *Bearer) checkPossession(ctx context.Context, r *authn.Request, credential authn.Credential, bound confirmation) (nonce string, err error) {
	if bound.certificate != "" || b.CertificateBound == bindingRequired {
		if err := b.checkCertificate(r, bound); err != nil {
			return "", err
		}
	}
	switch {
	case credential.Scheme == dpopScheme:
		return b.checkProof(ctx, r, credential, bound)
	case bound.thumbprint != "":
		return "", errors.New("a token that is bound to a key (cnf.jkt) was sent without a proof (RFC 9449 §7.2)")
	case b.DPoP == bindingRequired:
		return "", errors.New("tokens have to be bound to a key and sent with a proof")
	}
	return "", nil
}

var (
	errRevoked    = errors.New("the token was revoked")
	errUnreadable = errors.New("the claims of a cached token cannot be read")
)

// checkRevocation refuses a token that was revoked here or at another
// instance. It returns nil for a token that was not.
func (b *Bearer) checkRevocation(token *cachedToken, identity *authn.Identity, text string) *authn.Outcome {
	revoking, err := b.store.HasRevocations()
	switch {
	case err != nil:
		unknown := authn.Unavailable(time.Second, err)
		return &unknown
	case !revoking:
		return nil
	}
	names := token.namesIn(identity.Claims)
	if names == nil {
		unreadable := authn.Reject(authn.CodeInvalidToken, errUnreadable)
		return &unreadable
	}
	if !b.isRevoked(names, text, identity.Issuer, identity.ID) {
		return nil
	}
	revoked := authn.Reject(authn.CodeRevokedToken, errRevoked)
	revoked.Progress = len(checks) + 1
	return &revoked
}

// isRevoked looks for a revocation that covers a token.
func (b *Bearer) isRevoked(names *names, text, issuer, user string) bool {
	var issued time.Time
	if names.issued != 0 {
		issued = time.Unix(names.issued, 0)
	}
	return slices.ContainsFunc(names.keys(text, issuer, user), func(key store.Key) bool {
		entry, found := b.store.Lookup(store.EntryRevoked, key)
		return found && entry.Covers(issued)
	})
}

// names are what a token may be revoked by, and when it was issued.
type names struct {
	tokenID string
	subject string
	session string
	issued  int64 // Unix seconds; zero if the token does not say
}

func namesOf(claims map[string]any) names {
	n := names{tokenID: nameIn(claims["jti"]), subject: nameIn(claims["sub"]), session: nameIn(claims["sid"])}
	if issued, err := jose.NumericDate(claims, "iat"); err == nil {
		n.issued = issued.Unix()
	}
	return n
}

// nameIn spells a name as a revocation does. A number is not allowed (RFC 7519
// §4.1.2 and §4.1.7), but some issuers write one, and a revocation of it must work.
func nameIn(claim any) string {
	switch claim := claim.(type) {
	case string:
		return claim
	case int64:
		return strconv.FormatInt(claim, 10)
	default:
		return ""
	}
}

// keys are the keys of the revocations that would end the token. They are made of its
// digest, its id, its subject, its user and its session, for its issuer or for any.
func (n *names) keys(token, issuer, user string) []store.Key {
	all := append(make([]store.Key, 0, 9), store.KeyOfToken(store.DigestOfToken(token)))
	if n.tokenID != "" {
		all = append(all, store.KeyOfTokenID("", n.tokenID), store.KeyOfTokenID(issuer, n.tokenID))
	}
	if n.session != "" {
		all = append(all, store.KeyOfSession("", n.session), store.KeyOfSession(issuer, n.session))
	}
	for i, name := range [...]string{n.subject, user} {
		if name != "" && (i == 0 || name != n.subject) {
			all = append(all, store.KeyOfSubject("", name), store.KeyOfSubject(issuer, name))
		}
	}
	return all
}
