package bearer

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/dpop"
	"github.com/excorp/caddy-require-auth/internal/fingerprint"
	"github.com/excorp/caddy-require-auth/store"
)

// The values of `dpop` and `certificate_bound`.
const (
	bindingOff      = "off"
	bindingOptional = "optional"
	bindingRequired = "required"
)

func checkBindingMode(line, mode string) error {
	switch mode {
	case "", bindingOff, bindingOptional, bindingRequired:
		return nil
	default:
		return fmt.Errorf("%s %q: write off, optional or required", line, mode)
	}
}

// newProofs prepares the checks of proofs; the store comes later.
func (b *Bearer) newProofs() *dpop.Verifier {
	proofs := &dpop.Verifier{Now: b.now}
	if b.DPoPNonce {
		proofs.Nonces = sharedNonces()
	}
	return proofs
}

// sharedNonces are the nonces of this process: they outlive a configuration,
// so that a reload does not make every client try twice.
var sharedNonces = sync.OnceValue(func() *dpop.Nonces { return dpop.NewNonces(time.Now) })

func enabled(mode string) bool { return mode == bindingOptional || mode == bindingRequired }

// confirmation is the claim `cnf` (RFC 7800): what the holder of a token has
// to prove. Empty members ask for nothing.
type confirmation struct {
	thumbprint  string // jkt, RFC 9449 §6.1
	certificate string // x5t#S256, RFC 8705 §3.1
}

// readConfirmation refuses members that it does not know: they ask for a proof
// that would not be given. A token that says it is bound to a key and not to
// which one would need no proof at all (RFC 9449 §6.2).
func readConfirmation(claims map[string]any) (confirmation, error) {
	c, err := readMembers(claims)
	if err == nil && c.thumbprint == "" && saysDPoP(claims) {
		return c, errors.New("the token says that it is bound to a key, but not to which (cnf.jkt)")
	}
	return c, err
}

// saysDPoP reports whether a token is called one of DPoP: by `token_type` in an
// answer of its issuer (RFC 9449 §6.2), by `typ` at Keycloak.
func saysDPoP(claims map[string]any) bool {
	for _, claim := range []string{"token_type", "typ"} {
		if kind, _ := claims[claim].(string); strings.EqualFold(kind, dpopScheme) {
			return true
		}
	}
	return false
}

func readMembers(claims map[string]any) (confirmation, error) {
	var c confirmation
	value, present := claims["cnf"]
	if !present {
		return c, nil
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) == 0 {
		return c, errors.New("cnf is not an object with members")
	}
	for name, value := range members {
		text, _ := value.(string)
		switch {
		case text == "":
			return c, errors.New("a member of cnf is not a string")
		case name == "jkt":
			c.thumbprint = text
		case name == "x5t#S256":
			c.certificate = text
		default:
			return c, errors.New("cnf requires an unknown kind of proof")
		}
	}
	return c, nil
}

// checkCertificate compares the certificate that a token is bound to with the
// one of this connection (RFC 8705 §3).
func (b *Bearer) checkCertificate(r *authn.Request, bound confirmation) error {
	switch {
	case bound.certificate == "" && b.CertificateBound == bindingRequired:
		return errors.New("tokens have to be bound to a certificate")
	case bound.certificate == "":
		return nil
	case !enabled(b.CertificateBound):
		return errors.New("the token is bound to a certificate, and certificate_bound is off")
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0:
		return errors.New("the token is bound to a certificate, and the client sent none")
	}
	digest := fingerprint.Of(r.TLS.PeerCertificates[0])
	thumbprint := base64.RawURLEncoding.EncodeToString(digest[:])
	if subtle.ConstantTimeCompare([]byte(thumbprint), []byte(bound.certificate)) != 1 {
		return errors.New("the token is bound to another certificate")
	}
	return nil
}

// checkProof verifies the DPoP proof of a request (RFC 9449 §4.3) and uses it
// up.
func (b *Bearer) checkProof(ctx context.Context, r *authn.Request, credential authn.Credential, bound confirmation) (nonce string, err error) {
	if bound.thumbprint == "" {
		return "", errors.New("a token that is bound to no key was sent with the scheme DPoP")
	}
	proof, target, err := b.verifyProof(r, credential.Value)
	if err != nil {
		return "", err
	}
	if !proof.Fits(bound.thumbprint) {
		return "", errors.New("the token is bound to another key than that of the proof")
	}
	if proof.Stale {
		nonce = b.proofs.Nonces.Current()
	}
	if r.Trace.Skip("replay", "an explanation uses no proof up") {
		return nonce, nil
	}
	return nonce, r.SpendOnce(store.KeyOf("dpop proof", proof.Thumbprint, proof.ID, target), func() error {
		return b.proofs.Consume(ctx, proof, target)
	})
}

// verifyProof verifies the proof for each address that the request may have. The
// error is the one for the first.
func (b *Bearer) verifyProof(r *authn.Request, token string) (proof *dpop.Proof, target string, err error) {
	method, targets := targetsOf(r)
	for _, target := range targets {
		proof, failure := b.proofs.Verify(dpop.Request{Fields: r.Header["Dpop"], Method: method, URL: target, Token: token})
		if failure == nil {
			return proof, target, nil
		}
		err = cmp.Or(err, failure)
	}
	return nil, "", err
}

// targetsOf returns the method and the addresses of a request as the client sent them,
// before rewrites. The scheme and the host come from the configuration if it names
// them, and else from the request. Fields of a proxy count if Caddy trusts it.
func targetsOf(r *authn.Request) (method string, targets []string) {
	original := r.Request
	if unchanged, found := caddyrequest.Original(r.Request); found {
		original = &unchanged
	}
	path := original.URL.EscapedPath()
	for _, origin := range r.Origins(clientaddress.OriginOf(r.Request), path) {
		targets = append(targets, origin+path)
	}
	return original.Method, targets
}

// refusePossession turns a failed proof into an outcome.
func (b *Bearer) refusePossession(err error) authn.Outcome {
	var (
		invalid     *dpop.InvalidError
		nonce       *dpop.NonceError
		unavailable *dpop.UnavailableError
	)
	switch {
	case errors.As(err, &unavailable):
		return authn.Unavailable(time.Second, err)
	case errors.As(err, &nonce):
		outcome := authn.Reject(authn.CodeUseNonce, err)
		outcome.Nonce = b.proofs.Nonces.Current()
		return outcome
	case errors.As(err, &invalid):
		return authn.Reject(authn.CodeInvalidProof, err)
	default:
		return authn.Reject(authn.CodeInvalidToken, err)
	}
}
