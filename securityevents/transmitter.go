// Package securityevents receives security events of identity providers and turns them
// into revocations. It supports the Shared Signals Framework 1.0, CAEP and RISC, by
// push (RFC 8935) and poll (RFC 8936). It also accepts requests of Global Token
// Revocation.
package securityevents

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/watch"
	"github.com/excorp/caddy-require-auth/store"
)

// Transmitter is an identity provider whose security events revoke tokens here.
//
// An event becomes a revocation in the store, of the tokens of its subject that were
// issued before it. The events of CAEP are `session-revoked`, `token-claims-change` and
// `credential-change`. The events of RISC are `sessions-revoked`, `account-disabled`,
// `account-purged`, `credential-compromise` and `account-credential-change-required`.
// Other events are acknowledged and ignored.
type Transmitter struct {
	// The issuer: the exact value of `iss` in its security event tokens. Required. Keys
	// and endpoints come from its metadata at `/.well-known/ssf-configuration`.
	Issuer string `json:"issuer,omitempty"`

	// The audiences, one of which `aud` must name. Required.
	Audiences []string `json:"audiences,omitempty"`

	// The URL or the file of a JWK Set with the keys of the transmitter. A file is read
	// again when it changes. Default: by discovery from the issuer.
	JWKS string `json:"jwks,omitempty"`

	// The issuers whose tokens the transmitter may revoke. Default: the issuer.
	TokenIssuers []string `json:"token_issuers,omitempty"`

	// The whole value of the field Authorization that the transmitter sends with a
	// push, such as `Bearer …`, at least 16 bytes. Default: none; the signature alone
	// proves who sent an event.
	Authorization string `json:"authorization,omitempty"`

	// The bearer token of requests of Global Token Revocation, at least 32 bytes. A client
	// with it can revoke the tokens of any user of the issuer. Default: such requests are
	// refused.
	GlobalRevocation string `json:"global_revocation,omitempty"`

	// Polls the transmitter for events (RFC 8936) this often, from 1s to 1h. The stream is
	// found or created with the credentials below. Default: events are pushed.
	Poll caddy.Duration `json:"poll,omitempty"`

	// The public URL of `auth_events`: a stream that pushes there is found or created with
	// the credentials below. Default: the stream is created at the transmitter by hand.
	Push string `json:"push,omitempty"`

	// The bearer token for the endpoints of the transmitter. Default: one by client
	// credentials.
	BearerToken string `json:"bearer_token,omitempty"`

	// The client for which the transmitter issues a token by client credentials
	// (RFC 6749 §4.4).
	ClientID string `json:"client_id,omitempty"`

	// Its secret.
	ClientSecret string `json:"client_secret,omitempty"`

	// The scopes of that token. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The endpoint that issues that token. Default: by discovery from the issuer (RFC
	// 8414).
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// A file with PEM certificates of authorities, trusted beside those of the system.
	CAFile string `json:"ca_file,omitempty"`

	// The hosts that may be reached without TLS. An attacker who changes that traffic
	// can revoke tokens. Default: none but this machine.
	AllowHTTP []string `json:"allow_http,omitempty"`

	keys                  keyset.Source
	subjects              subjects
	handled               *otter.Cache[store.Key, struct{}]
	sink                  Sink
	now                   func() time.Time
	release               func() error
	client                *http.Client
	verificationRequested bool // of follow
}

const (
	minAuthorization = 16
	minGlobal        = 32
	// maxHandled bounds the events that a transmitter remembers. It handles a forgotten
	// one once more, which changes nothing.
	maxHandled = 10_000
)

// check reports what is wrong with the configuration. Placeholders pass: they are
// checked once they are replaced.
func (t *Transmitter) check() error {
	if t.Issuer == "" {
		return errors.New("security_events without an issuer: write `security_events <issuer> { … }`")
	}
	if (t.JWKS == "" || t.manages()) && !block.HasPlaceholder(t.Issuer) {
		if err := idp.InLine("security_events", idp.CheckIssuer(t.Issuer, t.AllowHTTP...)); err != nil {
			return err
		}
	}
	if isURL(t.JWKS) {
		if err := idp.CheckLine("jwks", t.JWKS, t.AllowHTTP); err != nil {
			return err
		}
	}
	switch {
	case len(t.Audiences) == 0:
		return errors.New("security_events has no audience, so events for any other receiver would count: add `audience <this receiver's identifier>`")
	case slices.Contains(t.Audiences, "*"):
		return errors.New("security_events: audience * would let events for any other receiver count: write the audience of the stream")
	case slices.Contains(t.Audiences, "") || slices.Contains(t.TokenIssuers, ""):
		return errors.New("security_events: an audience or a token_issuer is empty: a placeholder may have no value")
	}
	if err := idp.CheckHTTPHosts(t.AllowHTTP, t.Issuer, t.JWKS, t.TokenEndpoint); err != nil {
		return err
	}
	if err := t.checkStream(); err != nil {
		return err
	}
	if err := checkSecret("authorization", t.Authorization, minAuthorization); err != nil {
		return err
	}
	return checkSecret("global_revocation", t.GlobalRevocation, minGlobal)
}

// checkStream checks how the receiver looks after its stream.
func (t *Transmitter) checkStream() error {
	byClient := t.ClientID != "" || t.ClientSecret != ""
	switch {
	case t.Poll != 0 && t.Push != "":
		return errors.New("poll and push are both there: a stream has one delivery method")
	case t.Poll != 0 && (time.Duration(t.Poll) < minPoll || time.Duration(t.Poll) > maxPoll):
		return fmt.Errorf("poll %s: write an interval from %s to %s", time.Duration(t.Poll), minPoll, maxPoll)
	case t.BearerToken != "" && byClient:
		return errors.New("bearer_token and client_id are both there: keep one")
	case byClient && (t.ClientID == "" || t.ClientSecret == ""):
		return errors.New("client_id and client_secret go together: write both")
	case !byClient && (len(t.Scopes) > 0 || t.TokenEndpoint != ""):
		return errors.New("scope and token_endpoint go with client_id and client_secret")
	case t.manages() && !byClient && t.BearerToken == "":
		return errors.New("poll and push need credentials for the transmitter: add `client_id` and `client_secret`, or `bearer_token`")
	case !t.manages() && (byClient || t.BearerToken != ""):
		return errors.New("credentials for the transmitter are for `poll` and `push <url>`: add one of them")
	}
	for line, address := range map[string]string{"push": t.Push, "token_endpoint": t.TokenEndpoint} {
		if err := idp.CheckLine(line, address, t.AllowHTTP); err != nil {
			return err
		}
	}
	return checkSecret("bearer_token", t.BearerToken, 1)
}

func checkSecret(line, secret string, shortest int) error {
	switch {
	case secret == "" || block.HasPlaceholder(secret):
		return nil
	case len(secret) < shortest:
		return fmt.Errorf("%s has %d bytes, %d are needed: make one with `openssl rand -base64 48`", line, len(secret), shortest)
	case strings.ContainsFunc(secret, func(c rune) bool { return c < ' ' || c > '~' }):
		return fmt.Errorf("%s holds a character that no header field may have", line)
	}
	return nil
}

func isURL(jwks string) bool { return strings.Contains(jwks, "://") }

// open prepares a transmitter. It does not wait for the network.
func (t *Transmitter) open(ctx caddy.Context, sink Sink) error {
	if err := t.replacePlaceholders(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return err
	}
	t.sink, t.now = sink, time.Now
	t.handled = otter.Must(&otter.Options[store.Key, struct{}]{MaximumSize: maxHandled})
	t.subjects = subjects{transmitter: t.Issuer, issuers: t.TokenIssuers}
	if len(t.TokenIssuers) == 0 {
		t.subjects.issuers = []string{t.Issuer}
	}
	count(t.Issuer)
	var err error
	if t.client, err = idp.NewClientTrusting(ctx, t.CAFile, ctx.Logger(new(Handler))); err != nil {
		return err
	}
	return t.openKeys(ctx)
}

func (t *Transmitter) replacePlaceholders(replacer *caddy.Replacer) error {
	values := block.Values{
		"security_events": &t.Issuer, "jwks": &t.JWKS, "ca_file": &t.CAFile,
		"authorization": &t.Authorization, "global_revocation": &t.GlobalRevocation,
		"push": &t.Push, "bearer_token": &t.BearerToken, "client_id": &t.ClientID, "client_secret": &t.ClientSecret, "token_endpoint": &t.TokenEndpoint,
	}
	values.AddList("audience", t.Audiences)
	values.AddList("token_issuer", t.TokenIssuers)
	return values.Replace(replacer)
}

func (t *Transmitter) openKeys(ctx caddy.Context) error {
	if t.JWKS != "" && !isURL(t.JWKS) {
		static := keyset.NewStatic(nil)
		t.keys = static
		return watch.File(ctx, t.JWKS, ctx.Logger(new(Handler)), func(content []byte) error {
			set, err := keyset.Parse(content)
			if err != nil {
				return err
			}
			static.Replace(set)
			return nil
		})
	}
	config := keyset.RemoteConfig{
		URL: t.JWKS, Issuer: t.Issuer, Transmitter: true, HTTPHosts: t.AllowHTTP,
		Logger: lasting.Logger(new(Handler), ctx.Logger(new(Handler))),
	}
	if t.JWKS != "" {
		config.Issuer = ""
	}
	var err error
	t.keys, t.release, err = keyset.OpenShared(config, t.CAFile)
	return err
}

// authenticates reports whether a field Authorization is that of the transmitter.
func (t *Transmitter) authenticates(authorization string) bool {
	return t.Authorization == "" || equal(authorization, t.Authorization)
}

// equal compares secrets in a time that does not depend on them.
func equal(a, b string) bool {
	digestA, digestB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(digestA[:], digestB[:]) == 1
}
