// Package clientcert is the scheme of client certificates: the caller is who
// the certificate of the TLS connection says. It looks at Caddy's own TLS and
// at nothing else; a header field in which a proxy passes a certificate on is
// no certificate here.
package clientcert

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/fingerprint"
)

func init() {
	caddy.RegisterModule(new(ClientCert))
}

// ClientCert lets callers in by the client certificate of their connection.
//
// Caddy asks clients for certificates only if it is told to, with
// `client_auth` in the site's `tls` directive. There are two ways to have them
// verified, and with neither of them nobody is let in:
//
//   - Caddy does it, with `mode require_and_verify` or `mode verify_if_given`.
//     What it verified counts here, for as long as the chain has not expired.
//   - This scheme does it, with a `trust_pool` of its own; then `mode request`
//     is enough, and callers without a certificate can come in by another
//     scheme. Caddy's own verdict is not asked for.
//
// A certificate has to be made for client authentication, or for no purpose in
// particular. Revocation lists and OCSP are not asked: issue certificates that
// end soon.
//
// A certificate belongs to the connection. A browser sends it with every
// request, also with those that another site makes it send.
//
// The names in the certificate become claims, for `claim`, `if`, `forward` and
// the placeholders `{http.auth.user.…}`: `subject`, `common_name`, `issuer`,
// the lists `san_dns`, `san_uri` and `san_email`, `serial` and `sha256` (the
// fingerprint) in hexadecimal digits, and `not_after` in Unix seconds. A
// certificate with a control character in a name, or with two common names or
// two serial numbers in its subject, is refused.
type ClientCert struct {
	// The realm in the challenge; `off` sends none. Default: the realm of the
	// app.
	Realm string `json:"realm,omitempty"`

	// PEM files with the certificates of the authorities to trust, read at
	// load. A self-signed client certificate is trusted if it stands there
	// itself. Default: what Caddy's TLS verified.
	//
	// Give them also where several sites of one server trust different
	// authorities while the server's `strict_sni_host` is off: there Caddy may
	// have verified a connection for another site.
	TrustPool []string `json:"trust_pool,omitempty"`

	// Which name is the caller's id: `subject`, `common_name`, `san_dns`,
	// `san_uri` or `san_email`. Of several alternative names of a kind it is
	// the first; a certificate without such a name is refused. Default:
	// `subject`, written as RFC 2253 does, such as `CN=robot,O=Example`.
	UserFrom Field `json:"user_from,omitempty"`

	// What certificates grant. The grants of all rules that apply add up.
	Rules []Rule `json:"rules,omitempty"`

	// Refuse certificates to which no rule applies. Otherwise they are known
	// callers without scopes and roles.
	OnlyMatching bool `json:"only_matching,omitempty"`

	roots       *x509.CertPool
	authorities []*x509.Certificate // what roots holds
	verdicts    *verdicts
	now         func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*ClientCert) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.Namespace + ".client_cert",
		New: func() caddy.Module { return new(ClientCert) },
	}
}

// Provision checks the configuration and reads the files of the trust pool.
func (c *ClientCert) Provision(caddy.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	c.now, c.verdicts = time.Now, new(verdicts)
	c.UserFrom = cmp.Or(c.UserFrom, Subject)
	if len(c.TrustPool) == 0 {
		return nil
	}
	var err error
	c.roots, c.authorities, err = readPool(c.TrustPool)
	return err
}

// check reports what is wrong with the configuration as it is written.
func (c *ClientCert) check() error {
	if err := authheader.CheckParameter("realm", c.Realm); err != nil {
		return err
	}
	if err := c.UserFrom.checkUser(); err != nil {
		return err
	}
	if c.OnlyMatching && len(c.Rules) == 0 {
		return errors.New("only_matching without a rule lets nobody in: add `rule <field> <pattern>`")
	}
	for _, rule := range c.Rules {
		if err := rule.check(); err != nil {
			return err
		}
	}
	return nil
}

// place is where client certificates stand.
var place = authn.Location{Kind: authn.InTLS, Name: "client_cert"}

// Find takes the client's certificate. Its fingerprint is the credential: no
// two certificates share one.
func (c *ClientCert) Find(r *authn.Request) (authn.Credential, error) {
	leaf := leafOf(r)
	if leaf == nil {
		return authn.Credential{}, nil
	}
	return authn.Credential{Value: hexOf(leaf), Location: place}, nil
}

func leafOf(r *authn.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

func hexOf(cert *x509.Certificate) string {
	digest := fingerprint.Of(cert)
	return hex.EncodeToString(digest[:])
}

// Verify judges the certificate and then reads the names in it. One that is
// not trusted here, or that no rule is meant for, may be another scheme's;
// one that is out of date or made for something else is nobody's.
func (c *ClientCert) Verify(_ context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	leaf := leafOf(r)
	if leaf == nil || hexOf(leaf) != credential.Value {
		return authn.Reject(authn.CodeInvalidCredentials, errors.New("not the certificate of this connection"))
	}
	if len(leaf.Raw) > authn.MaxCredential {
		return authn.Reject(authn.CodeInvalidRequest, authn.ErrTooLarge)
	}
	if err := r.Trace.NoteFound("trust", c.trusts(r.TLS), c.assumed); err != nil {
		if errors.Is(err, errUntrusted) {
			return authn.Skip(authn.CodeInvalidCredentials, err)
		}
		return authn.Reject(authn.CodeInvalidCredentials, err)
	}
	names, err := namesOf(leaf)
	if err != nil {
		return authn.Reject(authn.CodeInvalidCredentials, err)
	}
	applying := c.applying(names)
	if c.OnlyMatching && len(applying) == 0 {
		return authn.Skip(authn.CodeInvalidCredentials, errors.New("no rule applies to the certificate"))
	}
	user := names[c.UserFrom]
	if len(user) == 0 || user[0] == "" {
		return authn.Reject(authn.CodeInvalidCredentials, fmt.Errorf("the certificate has no %s", c.UserFrom))
	}
	identity := &authn.Identity{ID: user[0], Claims: authn.ClaimsOf(claimsOf(leaf, names)), Expires: leaf.NotAfter}
	for _, rule := range applying {
		identity.Scopes = union(identity.Scopes, rule.Scopes)
		identity.Roles = union(identity.Roles, rule.Roles)
	}
	return authn.Accept(identity, authn.SourceLocal)
}

// assumed is what an explanation cannot know.
func (c *ClientCert) assumed() string {
	if c.roots != nil {
		return ""
	}
	return "taken as verified: that is for the TLS of the server to decide"
}

func (c *ClientCert) applying(names names) []Rule {
	var applying []Rule
	for _, rule := range c.Rules {
		if rule.applies(names) {
			applying = append(applying, rule)
		}
	}
	return applying
}

// union adds to a list what is not in it yet.
func union(list, more []string) []string {
	for _, member := range more {
		if !slices.Contains(list, member) {
			list = append(list, member)
		}
	}
	return list
}

// Challenges says that a certificate is wanted. HTTP has no authentication
// scheme for certificates and no client can answer the challenge: it takes a
// new connection. But a 401 without a challenge would be malformed (RFC 9110
// §15.5.2), and a gate may have no other scheme. The name is unregistered and
// so stands last, where it hides no challenge that can be answered. A caller
// who is known is told nothing.
func (c *ClientCert) Challenges(ask authn.ChallengeParams) []authn.Challenge {
	if !ask.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "ClientCertificate", Realm: ask.RealmFor(c.Realm)}}
}

// Interface guards
var (
	_ caddy.Provisioner = (*ClientCert)(nil)
	_ authn.Scheme      = (*ClientCert)(nil)
)
