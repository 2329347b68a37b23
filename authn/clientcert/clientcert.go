// Package clientcert is the scheme of client certificates. It reads the certificate of
// Caddy's own TLS connection only. It ignores header fields in which a proxy forwards a
// certificate.
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

// ClientCert authenticates callers by the client certificate of their connection.
//
// Caddy requests client certificates only with `client_auth` in the site's `tls`
// directive. A certificate must be verified in one of two ways. Otherwise the scheme
// accepts no certificate.
//
//   - Caddy verifies it, with `mode require_and_verify` or `mode verify_if_given`. The
//     scheme accepts it until the chain expires.
//   - This scheme verifies it against its own `trust_pool`. Then `mode request` is
//     enough, and callers without a certificate can use another scheme. Caddy's own
//     verdict does not matter.
//
// A certificate must be for client authentication, or without a purpose. The scheme
// does not check revocation lists or OCSP, so issue short-lived certificates.
//
// A certificate belongs to the connection. A browser sends it with every request, also
// with requests that another site causes.
//
// The names in the certificate become claims, for `claim`, `if`, `forward` and the
// placeholders `{http.auth.user.…}`: `subject`, `common_name`, `issuer`, and the lists
// `san_dns`, `san_uri` and `san_email`. The claims `serial` and `sha256` (the
// fingerprint) are in hexadecimal digits, and `not_after` is in Unix seconds. A
// certificate is refused if a name has a control character, or if its subject has two
// common names or two serial numbers.
type ClientCert struct {
	// The realm in the challenge; `off` sends none. Default: the realm of the
	// app.
	Realm string `json:"realm,omitempty"`

	// PEM files with the certificates of the trusted authorities, read at load. A
	// self-signed client certificate is trusted if a file contains it. Default: the
	// certificates that Caddy's TLS verified.
	//
	// Also write this line if several sites of one server trust different authorities
	// while the server's `strict_sni_host` is off. Caddy may have verified such a
	// connection for another site.
	TrustPool []string `json:"trust_pool,omitempty"`

	// The name that is the caller's id: `subject`, `common_name`, `san_dns`, `san_uri`
	// or `san_email`. If a certificate has several alternative names of the kind, the
	// first counts. A certificate without such a name is refused. Default: `subject`,
	// in the form of RFC 2253, such as `CN=robot,O=Example`.
	UserFrom Field `json:"user_from,omitempty"`

	// The scopes and roles of certificates. The grants of all matching rules add up.
	Rules []Rule `json:"rules,omitempty"`

	// Refuses certificates that match no rule. Otherwise their holders are
	// authenticated without scopes and roles.
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

// check validates the configuration as it is written.
func (c *ClientCert) check() error {
	if err := authheader.CheckParameter("realm", c.Realm); err != nil {
		return err
	}
	if err := c.UserFrom.checkUser(); err != nil {
		return err
	}
	if c.OnlyMatching && len(c.Rules) == 0 {
		return errors.New("only_matching without a rule refuses every certificate: add `rule <field> <pattern>`")
	}
	for _, rule := range c.Rules {
		if err := rule.check(); err != nil {
			return err
		}
	}
	return nil
}

// tlsLocation is the location of client certificates.
var tlsLocation = authn.Location{Kind: authn.InTLS, Name: "client_cert"}

// Find returns the client's certificate. Its fingerprint is the credential, because it
// is unique.
func (c *ClientCert) Find(r *authn.Request) (authn.Credential, error) {
	leaf := leafOf(r)
	if leaf == nil {
		return authn.Credential{}, nil
	}
	return authn.Credential{Value: hexOf(leaf), Location: tlsLocation}, nil
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

// Verify verifies the certificate, then reads its names. Another scheme may accept a
// certificate that this one does not trust, or that matches no rule. An expired
// certificate, or one with another purpose, is rejected.
func (c *ClientCert) Verify(_ context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	leaf := leafOf(r)
	if leaf == nil || hexOf(leaf) != credential.Value {
		return authn.Reject(authn.CodeInvalidCredentials, errors.New("not the certificate of this connection"))
	}
	if len(leaf.Raw) > authn.MaxCredential {
		return authn.Reject(authn.CodeInvalidRequest, authn.ErrTooLarge)
	}
	if err := r.Trace.NoteFound("trust", c.trusts(r.TLS), c.assumption); err != nil {
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

// assumption describes what an explanation cannot verify.
func (c *ClientCert) assumption() string {
	if c.roots != nil {
		return ""
	}
	return "assumed to be verified by the server's TLS"
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

// union adds the missing members to a list.
func union(list, more []string) []string {
	for _, member := range more {
		if !slices.Contains(list, member) {
			list = append(list, member)
		}
	}
	return list
}

// Challenges returns a challenge with an unregistered scheme name. HTTP has no
// authentication scheme for certificates, and a client needs a new connection to send
// one. But a 401 without a challenge is malformed (RFC 9110 §15.5.2), and a gate may
// have no other scheme. The name comes last, so that clients find the challenges that
// they can answer. An authenticated caller gets no challenge.
func (c *ClientCert) Challenges(params authn.ChallengeParams) []authn.Challenge {
	if !params.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "ClientCertificate", Realm: params.RealmFor(c.Realm)}}
}

// Interface guards
var (
	_ caddy.Provisioner = (*ClientCert)(nil)
	_ authn.Scheme      = (*ClientCert)(nil)
)
