package bearer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/introspection"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// Introspection asks the issuer about tokens that only it can read (RFC 7662).
type Introspection struct {
	// The URL of the introspection endpoint, or `auto` to find it by discovery
	// from the issuer.
	Endpoint string `json:"endpoint"`

	// The client ID of the gate at the provider. RFC 7662 §2.1 demands authentication.
	ClientID string `json:"client_id"`

	// The secret, for client_secret_basic and client_secret_post.
	// Placeholders such as `{env.INTROSPECT_SECRET}` are replaced at load.
	ClientSecret string `json:"client_secret,omitempty"`

	// The authentication method of the client: `client_secret_basic`, `client_secret_post`
	// or `private_key_jwt`. Default: client_secret_basic.
	ClientAuth introspection.Authentication `json:"client_auth,omitempty"`

	// A file with the private key for private_key_jwt, PEM or JWK.
	KeyFile string `json:"key_file,omitempty"`

	// The time for which an answer is kept, never longer than the token is valid. A
	// revoked token may be accepted for that long. 0 keeps none. Default: 60s.
	Cache *caddy.Duration `json:"cache,omitempty"`
}

// defaultIntrospectionCache is how long an answer is kept.
const defaultIntrospectionCache = time.Minute

// autoEndpoint finds the endpoint by discovery.
const autoEndpoint = "auto"

// config makes the configuration of a client; the key file is read.
func (i *Introspection) config(issuer string, httpHosts []string) (introspection.Config, error) {
	config := introspection.Config{
		Endpoint: i.Endpoint, Issuer: issuer,
		ClientID: i.ClientID, ClientSecret: i.ClientSecret, Authentication: i.ClientAuth,
		Cache: defaultIntrospectionCache, HTTPHosts: httpHosts,
	}
	if i.Endpoint == autoEndpoint {
		config.Endpoint = ""
	}
	if i.Cache != nil {
		config.Cache = time.Duration(*i.Cache)
	}
	if i.KeyFile != "" {
		key, err := textfile.Read(i.KeyFile)
		if err != nil {
			return config, err
		}
		config.SigningKey = key
	}
	return config, nil
}

// check reports what is wrong with the lines as they are written.
func (i *Introspection) check(issuer string, httpHosts []string) error {
	switch {
	case i.Endpoint == autoEndpoint && issuer == "":
		return errors.New("introspection auto needs `issuer <url>`")
	case i.ClientID == "":
		return errors.New("introspection without client_id: the endpoint requires authentication (RFC 7662 §2.1)")
	case i.ClientSecret == "" && i.KeyFile == "":
		return errors.New("introspection needs `client_secret <secret>`, or `client_auth private_key_jwt` and `key_file <path>`")
	case i.Endpoint != autoEndpoint:
		if err := idp.CheckLine("introspection", i.Endpoint, httpHosts); err != nil {
			return err
		}
	}
	return i.ClientAuth.Check(i.ClientSecret != "", i.KeyFile != "")
}

// clients are the introspection clients in use, with what they remember. They
// outlive a configuration.
var clients = lasting.NewShared[*introspection.Client]()

// checkIntrospection asks the issuer about an opaque token. The claims in the
// answer are checked like those of a signed token.
func (b *Bearer) checkIntrospection(v *verification) error {
	answer, err := b.remote.Introspect(v.ctx, v.credential.Value, func() string { return clientaddress.NetworkOf(v.Request.Request) })
	if err != nil {
		return undecidedError{error: err}
	}
	v.source = authn.SourceRemote
	if answer.FromCache {
		v.source = authn.SourceCache
	}
	if !answer.Active {
		return errInactive
	}
	v.claims = answer.Claims
	if _, named := v.claims["iss"]; named {
		return b.isIssuer(v.token)
	}
	return nil
}

var errInactive = errors.New("the issuer says that the token is not active")

func (b *Bearer) openIntrospection() error {
	if b.Introspection == nil {
		return nil
	}
	issuer := b.Issuer
	if b.isTemplate() {
		issuer = "" // no issuer has the name of the template
	}
	config, err := b.Introspection.config(issuer, b.AllowHTTP)
	if err != nil {
		return err
	}
	config.Logger = b.runningLogger()
	secrets := sha256.Sum256([]byte(config.ClientSecret + "\x00" + string(config.SigningKey)))
	key := fmt.Sprintf("%q", []any{
		config.Endpoint, config.Issuer, config.ClientID, config.Authentication,
		config.Cache.String(), hex.EncodeToString(secrets[:]), b.CAFile, b.AllowHTTP,
	})
	opened, release, err := clients.Open(key, func(ctx context.Context) (*introspection.Client, error) {
		var err error
		if config.Client, err = idp.NewClientTrusting(ctx, b.CAFile, config.Logger()); err != nil {
			return nil, err
		}
		return introspection.New(config)
	})
	if err != nil {
		return err
	}
	b.release = append(b.release, release)
	b.remote = opened
	return nil
}
