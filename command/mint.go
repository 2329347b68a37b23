package command

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// mintOptions are the flags of `caddy auth mint`.
type mintOptions struct {
	secret, secretEnv, keyFile, algorithm, kind string

	issuer, subject string
	audiences       []string
	scopes          []string
	roles           []string
	expires         time.Duration
	claims          []string
}

// mintCommand signs tokens for tests and demonstrations.
func mintCommand() *cobra.Command {
	var options mintOptions
	command := &cobra.Command{
		Use:   "mint",
		Short: "Signs a token for tests",
		Long: `
Signs a token for tests with an HMAC secret or a private key and prints it.

Claims that are not given are left out, apart from iat, exp and jti. The value
of --claim is JSON if it can be read as JSON, and a string otherwise.`,
		Example: `  caddy auth mint --secret-env JWT_SECRET --issuer https://idp.example.com --audience https://api.example.com --subject alice --scope "read admin"
  caddy auth mint --key private.pem --claim 'realm_access={"roles":["operator"]}' --expires 5m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := options.mint(time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.secret, "secret", "", "the HMAC secret as in hmac_secret; others on this machine can see it while the command runs")
	flags.StringVar(&options.secretEnv, "secret-env", "", "the environment variable that holds the HMAC secret")
	flags.StringVar(&options.keyFile, "key", "", "a file with a private key, PEM or JWK")
	flags.StringVar(&options.algorithm, "alg", "", "the algorithm (default: HS256, or that of the key)")
	flags.StringVar(&options.kind, "typ", "JWT", "the type in the header, for example at+jwt")
	flags.StringVar(&options.issuer, "issuer", "", "iss")
	flags.StringVar(&options.subject, "subject", "", "sub")
	flags.StringSliceVar(&options.audiences, "audience", nil, "aud; may be repeated")
	flags.StringSliceVar(&options.scopes, "scope", nil, "scope, separated by spaces; may be repeated")
	flags.StringSliceVar(&options.roles, "role", nil, "roles; may be repeated")
	flags.DurationVar(&options.expires, "expires", time.Hour, "the lifetime of the token; negative for an expired one")
	flags.StringArrayVar(&options.claims, "claim", nil, "any claim as name=value; may be repeated")
	return command
}

func (o mintOptions) mint(now time.Time) (string, error) {
	key, err := o.signingKey()
	if err != nil {
		return "", err
	}
	claims, err := o.claimSet(now)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	if o.kind != "" {
		if err := headers.Set(jws.TypeKey, o.kind); err != nil {
			return "", err
		}
	}
	if key.ID != "" {
		if err := headers.Set(jws.KeyIDKey, key.ID); err != nil {
			return "", err
		}
	}
	algorithm := jwa.SignatureAlgorithm(cmp.Or(o.algorithm, key.Algorithm, algorithmFor(key.Key)))
	token, err := jws.Sign(payload, jws.WithKey(algorithm, key.Key, jws.WithProtectedHeaders(headers)))
	return string(token), err
}

// signingKey returns the key to sign with.
func (o mintOptions) signingKey() (key jose.PrivateKey, err error) {
	secret := o.secret
	if o.secretEnv != "" {
		if secret = os.Getenv(o.secretEnv); secret == "" {
			return key, fmt.Errorf("the environment variable %s is empty", o.secretEnv)
		}
	}
	if (secret == "") == (o.keyFile == "") {
		return key, errors.New("give either --secret-env (or --secret) or --key")
	}
	if secret != "" {
		decoded, err := jose.DecodeSecret(secret)
		return jose.PrivateKey{Key: decoded, Algorithm: jwa.HS256.String()}, err
	}
	content, err := textfile.ReadArgument(o.keyFile)
	if err != nil {
		return key, err
	}
	if key, err = jose.ParsePrivateKey(content); err != nil {
		return key, fmt.Errorf("%s: %w", o.keyFile, err)
	}
	return key, nil
}

// algorithmFor returns the usual algorithm of a key.
func algorithmFor(key any) string {
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return jwa.EdDSA.String()
	case *ecdsa.PrivateKey:
		switch key.Curve.Params().BitSize {
		case 384:
			return jwa.ES384.String()
		case 521:
			return jwa.ES512.String()
		}
		return jwa.ES256.String()
	default:
		return jwa.RS256.String()
	}
}

func (o mintOptions) claimSet(now time.Time) (map[string]any, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	claims := map[string]any{
		"iat": now.Unix(),
		"exp": now.Add(o.expires).Unix(),
		"jti": hex.EncodeToString(id),
	}
	for name, value := range map[string]string{"iss": o.issuer, "sub": o.subject, "scope": strings.Join(o.scopes, " ")} {
		if value != "" {
			claims[name] = value
		}
	}
	switch len(o.audiences) {
	case 0:
	case 1:
		claims["aud"] = o.audiences[0]
	default:
		claims["aud"] = o.audiences
	}
	if len(o.roles) > 0 {
		claims["roles"] = o.roles
	}
	for _, claim := range o.claims {
		name, text, ok := strings.Cut(claim, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--claim %s: write name=value", claim)
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		claims[name] = value
	}
	return claims, nil
}
