package accesstest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/apikeyformat"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// object is a JSON object of a configuration.
type object = map[string]any

// Credentials are the credentials of a test. They replace those of a configuration, so
// tests need no secret, and the real verification runs.
type Credentials struct {
	schemes   map[string]*scheme
	resources []string // accepted as audiences by single gates
	secrets   map[string]string
	secret    string // the password of all users, and the start of all keys
	hash      string // its hash
}

// scheme is what a credential for a scheme needs.
type scheme struct {
	Kind        string           `json:"scheme"`
	Issuer      string           `json:"issuer"`
	Tenants     []string         `json:"tenants"`
	Audiences   []string         `json:"audiences"`
	Profile     string           `json:"profile"`
	UserClaim   string           `json:"user_claim"`
	ScopeClaims []string         `json:"scope_claims"`
	RoleClaims  []string         `json:"role_claims"`
	TokenFrom   []authn.Location `json:"token_from"`
	From        []authn.Location `json:"from"`

	name, secret string

	callers []string // users, or ids of keys
}

// Replace replaces the credentials in the apps of a configuration by new ones.
func Replace(apps object) (*Credentials, error) {
	c := &Credentials{schemes: make(map[string]*scheme), secrets: make(map[string]string), secret: newSecret()}
	hash, err := bcrypt.GenerateFromPassword([]byte(c.secret), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	c.hash = string(hash)
	return c, c.replaceIn("", apps)
}

func newSecret() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random)
}

// replaceIn finds the schemes, in the app and in gates.
func (c *Credentials) replaceIn(name string, value any) error {
	switch value := value.(type) {
	case []any:
		for _, member := range value {
			if err := c.replaceIn("", member); err != nil {
				return err
			}
		}
	case object:
		if resource, ok := value["protected_resource"].(object); ok {
			if address, ok := resource["resource"].(string); ok {
				c.resources = append(c.resources, address)
			}
		}
		if replace := replacers[value["scheme"]]; replace != nil {
			return c.replaceOf(name, value, replace)
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if err := c.replaceIn(name, value[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// replacers replace the credentials of a kind of scheme.
var replacers = map[any]func(*Credentials, *scheme, object) error{
	"bearer": (*Credentials).replaceKeys, "basic": (*Credentials).replaceUsers, "api_key": (*Credentials).replaceAPIKeys,
}

// replaceOf replaces the credentials of a scheme.
func (c *Credentials) replaceOf(name string, config object, replace func(*Credentials, *scheme, object) error) error {
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	declared := &scheme{name: name}
	if err := json.Unmarshal(text, declared); err != nil {
		return fmt.Errorf("scheme %s: %w", name, err)
	}
	c.schemes[name] = declared
	return replace(c, declared, config)
}

// keyMembers are the members with which a bearer scheme verifies tokens, and those that
// bind tokens to a key of the client. Tests do not cover them.
var keyMembers = []string{
	"jwks", "key_files", "ca_file", "allow_http", "algorithms", "introspection", "dpop", "dpop_nonce", "certificate_bound",
}

// replaceKeys lets a bearer scheme verify with a secret. Schemes of one issuer have the
// same secret, as they have the same keys.
func (c *Credentials) replaceKeys(declared *scheme, config object) error {
	for _, member := range keyMembers {
		delete(config, member)
	}
	issuer := cmp.Or(declared.Issuer, "scheme "+declared.name)
	if c.secrets[issuer] == "" {
		c.secrets[issuer] = newSecret()
	}
	declared.secret = c.secrets[issuer]
	config["hmac_secret"] = declared.secret
	return nil
}

// replaceUsers gives all users of a Basic scheme the same password.
func (c *Credentials) replaceUsers(declared *scheme, config object) error {
	users, _ := config["users"].([]any)
	if path, ok := config["users_file"].(string); ok {
		content, err := textfile.Read(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(content)) {
			name, _, found := strings.Cut(strings.TrimSpace(line), ":")
			if found && !strings.HasPrefix(name, "#") {
				users = append(users, object{"name": name})
			}
		}
		delete(config, "users_file")
	}
	for _, user := range users {
		if user, ok := user.(object); ok {
			user["hash"] = c.hash
			name, _ := user["name"].(string)
			declared.callers = append(declared.callers, name)
		}
	}
	config["users"] = users
	return nil
}

// replaceAPIKeys gives each holder a key that is derived from its id.
func (c *Credentials) replaceAPIKeys(declared *scheme, config object) error {
	keys, _ := config["keys"].([]any)
	if path, ok := config["keys_file"].(string); ok {
		content, err := textfile.Read(path)
		if err != nil {
			return err
		}
		var more []any
		if err := json.Unmarshal(content, &more); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, more...)
		delete(config, "keys_file")
	}
	for _, key := range keys {
		if key, ok := key.(object); ok {
			id, _ := key["id"].(string)
			key["digest"] = apikeyformat.Digest(c.keyOf(id))
			declared.callers = append(declared.callers, id)
		}
	}
	config["keys"] = keys
	return nil
}

func (c *Credentials) keyOf(id string) string {
	return c.secret + "." + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// add adds the credential of a caller to a request.
func (c *Credentials) add(r *Request, caller Caller) error {
	if caller.Scheme == "" {
		return nil
	}
	declared := c.schemes[caller.Scheme]
	if declared == nil {
		return fmt.Errorf("scheme %s: not found among the bearer, basic and api_key schemes", caller.Scheme)
	}
	if caller.User != "" && caller.isKey != (declared.Kind == "api_key") {
		return fmt.Errorf("scheme %s: write `key` for an API key, and `user` for others", caller.Scheme)
	}
	if declared.Kind == "bearer" {
		token, err := declared.token(caller, c.resources)
		if err != nil {
			return err
		}
		return put(r, declared.TokenFrom, authn.AuthorizationField, "Bearer", token)
	}
	if len(caller.Scopes)+len(caller.Roles)+len(caller.Claims) > 0 {
		return fmt.Errorf("scheme %s: the configuration says which scopes and roles its users and keys have", caller.Scheme)
	}
	if !slices.Contains(declared.callers, caller.User) {
		return fmt.Errorf("scheme %s: %q not found in the configuration", caller.Scheme, caller.User)
	}
	if declared.Kind == "basic" {
		r.Header.Add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(caller.User+":"+c.secret)))
		return nil
	}
	return put(r, declared.From, authn.Location{Kind: authn.InHeader, Name: "X-API-Key"}, "", c.keyOf(caller.User))
}

// put puts a credential at the first location of a scheme.
func put(r *Request, from []authn.Location, usual authn.Location, scheme, value string) error {
	at := usual
	if len(from) > 0 {
		at = from[0]
	}
	switch name := cmp.Or(at.Name, usual.Name); at.Kind {
	case "authorization": // of an API key, the name is that of the scheme
		if strings.EqualFold(at.Name, "Basic") {
			value = base64.StdEncoding.EncodeToString([]byte(":" + value))
		}
		r.Header.Add("Authorization", cmp.Or(at.Name, "Bearer")+" "+value)
	case authn.InHeader:
		if scheme != "" && strings.EqualFold(name, "Authorization") {
			value = scheme + " " + value
		}
		r.Header.Add(name, value)
	case authn.InCookie:
		r.Header.Add("Cookie", at.Name+"="+value)
	case authn.InQuery:
		address, err := url.Parse(r.URL)
		if err != nil {
			return err
		}
		if at.Name == "" {
			name = "access_token"
		}
		address.RawQuery = strings.TrimPrefix(address.RawQuery+"&"+name+"="+url.QueryEscape(value), "&")
		r.URL = address.String()
	default:
		return fmt.Errorf("a credential in a %s is not supported: give the scheme another place first", at.Kind)
	}
	return nil
}

var errClaimConflict = errors.New("duplicate claim, or one inside a value that is not an object")

// anyTenant is the tenant of callers without a claim `tid`, if a scheme accepts any.
const anyTenant = "00000000-0000-4000-8000-000000000000"

// token signs the claims of a caller. A claim of the caller replaces the usual issuer,
// audience or time.
func (s *scheme) token(caller Caller, resources []string) (string, error) {
	now := time.Now()
	claims := object{
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": newSecret(),
		"aud": slices.DeleteFunc(slices.Concat(s.Audiences, resources), func(audience string) bool { return audience == "*" }),
	}
	if issuer := s.Issuer; issuer != "" {
		if strings.Contains(issuer, idp.TenantPlaceholder) {
			tenant := anyTenant
			if claimed, ok := caller.Claims["tid"].(string); ok {
				tenant = claimed
			} else if len(s.Tenants) > 0 && s.Tenants[0] != "*" {
				tenant = s.Tenants[0]
			}
			issuer, claims["tid"] = strings.ReplaceAll(issuer, idp.TenantPlaceholder, tenant), tenant
		}
		claims["iss"] = issuer
	}
	kind := "JWT"
	if s.Profile != "" {
		kind, claims["client_id"] = s.Profile, "access-test"
	}
	first := func(configured []string, usual string) string {
		if len(configured) > 0 {
			return configured[0]
		}
		return usual
	}
	for path, value := range map[string]any{
		cmp.Or(s.UserClaim, "sub"): caller.User, first(s.ScopeClaims, "scope"): strings.Join(caller.Scopes, " "),
	} {
		if value != "" && !setClaim(claims, path, value) {
			return "", errClaimConflict
		}
	}
	if len(caller.Roles) > 0 && !setClaim(claims, first(s.RoleClaims, "roles"), caller.Roles) {
		return "", errClaimConflict
	}
	maps.Copy(claims, caller.Claims)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, kind); err != nil {
		return "", err
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, []byte(s.secret), jws.WithProtectedHeaders(headers)))
	return string(token), err
}
