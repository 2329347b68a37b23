package convert

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/apikeyformat"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// basicAuth converts Caddy's own basic_auth. An unknown form stays, because Caddy has
// the directive.
func (c *converter) basicAuth(n *sourcepos.Node) error {
	matcher, arguments := matcherOf(n)
	if len(arguments) > 2 || len(arguments) > 0 && arguments[0] != "bcrypt" && arguments[0] != "argon2id" {
		c.keep(n, "require_auth has bcrypt and argon2id; this basic_auth stays")
		return nil
	}
	lines := []string{"basic {"}
	if len(arguments) == 2 {
		lines = append(lines, quoteAll("realm", arguments[1]))
	}
	for _, account := range n.Children {
		if len(account.Words) != 2 || account.Words[0] == "import" || len(account.Children) > 0 {
			c.keep(n, "the line %q has no user with a hash; this basic_auth stays", account.Words[0])
			return nil
		}
		lines = append(lines, quoteAll("user", account.Words[0], decodedHash(account.Words[1])))
	}
	if len(n.Children) == 0 {
		c.keep(n, "no users; this basic_auth stays")
		return nil
	}
	c.gate(n, matcher, append(lines, "}")...)
	return nil
}

// decodedHash returns a hash without the base64 in which early versions of Caddy wrote it.
func decodedHash(hash string) string {
	if decoded, err := base64.StdEncoding.DecodeString(hash); err == nil && strings.HasPrefix(string(decoded), "$") {
		return string(decoded)
	}
	return hash
}

// jwtauth converts github.com/ggicci/caddy-jwt, as its README describes it.
func (c *converter) jwtauth(n *sourcepos.Node) error {
	matcher, arguments := matcherOf(n)
	if len(arguments) > 0 {
		return fmt.Errorf("unexpected argument %q", arguments[0])
	}
	lines := make(map[string][]string)
	for _, child := range n.Children {
		if len(child.Words) < 2 {
			return fmt.Errorf("%s has no value", child.Words[0])
		}
		lines[child.Words[0]] = append(lines[child.Words[0]], child.Words[1:]...)
	}
	if len(lines["skip_verification"]) > 0 && lines["skip_verification"][0] != "false" {
		return errors.New("skip_verification: require_auth verifies every token: name its keys")
	}
	var scheme []string
	keys, err := jwtKeys(lines["jwk_url"], lines["sign_key"], lines["sign_alg"])
	if err != nil {
		return err
	}
	scheme = append(scheme, keys)
	if algorithms := lines["sign_alg"]; len(algorithms) > 0 {
		scheme = append(scheme, quoteAll(append([]string{"algorithms"}, algorithms...)...))
	}
	if audiences := lines["audience_whitelist"]; len(audiences) > 0 {
		scheme = append(scheme, quoteAll(append([]string{"audience"}, audiences...)...))
	} else {
		scheme = append(scheme, c.note(n, "no audience was checked: name the one of this API, or tokens for other services pass"), "audience *")
	}
	scheme = append(scheme, tokenLocations(lines)...)
	if claims := lines["user_claims"]; len(claims) > 0 {
		if len(claims) > 1 {
			scheme = append(scheme, c.note(n, "the user was the first of the claims %s that a token had: write the one that yours have", strings.Join(claims, ", ")))
		}
		scheme = append(scheme, quoteAll("user_claim", userClaim(claims)))
	}
	if err := c.renameClaims(lines["meta_claims"]); err != nil {
		return err
	}
	scheme = append(scheme, "accept_id_tokens")
	var all []string
	if issuers := lines["issuer_whitelist"]; len(issuers) > 0 {
		for i, issuer := range issuers {
			all = append(all, fmt.Sprintf("bearer jwt%d {", i+1), quoteAll("issuer", issuer))
			all = append(append(all, scheme...), "}")
		}
	} else {
		all = append(append([]string{"bearer {"}, scheme...), "}")
	}
	c.gate(n, matcher, all...)
	return nil
}

// jwtKeys returns the line of the keys. caddy-jwt uses a URL only without a key. A key in
// base64 is a secret, or with EdDSA a public key.
func jwtKeys(urls, keys, algorithms []string) (string, error) {
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" })
	switch {
	case len(keys) == 0 && len(urls) > 0:
		return quoteAll("jwks", urls[0]), nil
	case len(keys) == 0:
		return "", errors.New("no sign_key and no jwk_url")
	case strings.Contains(keys[0], "-----BEGIN"):
		return "", errors.New("sign_key is a public key: save it in a file, and write `key_file <path>` in a gate by hand")
	}
	placeholder := strings.HasPrefix(keys[0], "{")
	key, err := base64.StdEncoding.DecodeString(keys[0])
	if err != nil && !placeholder {
		return "", errors.New("sign_key is not base64")
	}
	for _, algorithm := range algorithms {
		switch {
		case strings.HasPrefix(algorithm, "HS"):
		case algorithm != "EdDSA":
			return "", fmt.Errorf("sign_alg %s does not take a sign_key in base64: write the public key in a file, and `key_file <path>` in a gate by hand", algorithm)
		case len(key) == ed25519.PublicKeySize:
			return "", fmt.Errorf("sign_key is a public key (EdDSA): save %s in a file, and write `key_file <path>` in a gate by hand", publicJWK(key))
		default:
			return "", fmt.Errorf("sign_key is a public key (EdDSA): save it in a file as %s, and write `key_file <path>` in a gate by hand", publicJWK(nil))
		}
	}
	return "hmac_secret base64:" + keys[0], nil
}

// publicJWK writes an Ed25519 public key as a JWK (RFC 8037 §2).
func publicJWK(key []byte) string {
	x := "<the key in base64url>"
	if key != nil {
		x = base64.RawURLEncoding.EncodeToString(key)
	}
	return `{"kty": "OKP", "crv": "Ed25519", "x": "` + x + `"}`
}

// tokenLocations returns the lines of the locations. caddy-jwt reads Authorization too.
func tokenLocations(lines map[string][]string) []string {
	all := []string{"token_from header"}
	for _, kind := range []struct{ there, here string }{{"from_query", "query"}, {"from_header", "header"}, {"from_cookies", "cookie"}} {
		for _, name := range lines[kind.there] {
			if kind.here != "header" || !strings.EqualFold(name, "Authorization") {
				all = append(all, quoteAll("token_from", kind.here, name))
			}
		}
	}
	if len(all) == 1 {
		return nil // the default
	}
	return all
}

// userClaim chooses the claim of the user. An audience is no user.
func userClaim(claims []string) string {
	for _, claim := range claims {
		if claim != "aud" {
			return claim
		}
	}
	return claims[0]
}

// renameClaims remembers placeholders such as {http.auth.user.is_admin} of
// `meta_claims "IsAdmin->is_admin"`. The gate has each claim under its own name.
func (c *converter) renameClaims(claims []string) error {
	for _, pair := range claims {
		claim, placeholder, renamed := strings.Cut(pair, "->")
		claim, placeholder = strings.TrimSpace(claim), strings.TrimSpace(placeholder)
		if !renamed || claim == placeholder {
			continue
		}
		from, to := "{http.auth.user."+placeholder+"}", "{http.auth.user."+claim+"}"
		if other, found := c.renamed[from]; found && other != to {
			return fmt.Errorf("meta_claims: %s has two meanings in this file: convert one by hand", from)
		}
		c.renamed[from] = to
	}
	return nil
}

// token converts github.com/loafoe/caddy-token, as its source describes it: ID tokens
// in X-Id-Token and keys of a file in X-Api-Key.
func (c *converter) token(n *sourcepos.Node) error {
	matcher, _ := matcherOf(n)
	groups := groupsOf(n)
	var schemes, rules []string
	injects, keys := true, false
	for _, child := range n.Children {
		value := strings.Join(child.Words[1:], " ")
		var scheme []string
		var err error
		switch child.Words[0] {
		case "jwt":
			scheme, err = c.tokenJWT(child)
		case "file":
			keys = true
			scheme, err = c.tokenFile(value, groups)
		case "signed":
			err = errors.New("signed: these keys have a form of their own: make new ones with `caddy auth new-key`")
		case "allowUpstreamAuth":
			if value == "true" {
				scheme = []string{c.note(child, "allowUpstreamAuth let everybody pass who sent X-Scope-OrgID; it has no equivalent")}
			}
		case "debug": // more records in the log
		case "injectOrgHeader":
			injects = value != "false"
		case "tenantOrgClaim":
			rules = append(rules, c.note(child, "X-Scope-OrgID had the values of %s joined by |; the upstream gets them as a list now", value),
				"forward X-Scope-OrgID {http.auth.user."+value+"}")
		default:
			err = fmt.Errorf("unrecognized subdirective %s", child.Words[0])
		}
		if err != nil {
			return err
		}
		schemes = append(schemes, scheme...)
	}
	if keys && injects && len(rules) == 0 {
		// It overwrote the field of a client with the organization of the key, so a
		// client must not choose one now.
		rules = append(rules, c.note(n, "X-Scope-OrgID had the organization of a key; no request has the field now"),
			"forward X-Scope-OrgID {http.auth.user.organization}")
	}
	if len(schemes) == 0 {
		return errors.New("no jwt and no file")
	}
	if len(groups) > 0 {
		rules = append(rules, quoteAll(append([]string{"role"}, groups...)...))
	}
	c.gate(n, matcher, append(schemes, rules...)...)
	return nil
}

// groupsOf returns the groups that an ID token needs, all of them.
func groupsOf(n *sourcepos.Node) []string {
	var groups []string
	n.Walk(func(line *sourcepos.Node) {
		if line.Words[0] == "group" {
			groups = append(groups, strings.Join(line.Words[1:], " "))
		}
	})
	return groups
}

// tokenJWT returns the scheme of ID tokens.
func (c *converter) tokenJWT(n *sourcepos.Node) ([]string, error) {
	scheme := []string{"bearer {"}
	for _, child := range n.Children {
		value := strings.Join(child.Words[1:], " ")
		switch child.Words[0] {
		case "issuer":
			scheme = append(scheme, quoteAll("issuer", value))
		case "group":
		case "verify":
			if value == "false" {
				return nil, errors.New("verify false: require_auth verifies every token: remove the line")
			}
		default:
			return nil, fmt.Errorf("unrecognized subdirective %s", child.Words[0])
		}
	}
	return append(scheme, c.note(n, "no audience was checked: name the client id of your login, or tokens for other services pass"), "audience *",
		"accept_id_tokens", "role_claims groups", "token_from header X-Id-Token", "}"), nil
}

// tokenFile returns the scheme of the keys of a file, one on each line. They get the
// groups that the gate requires, which were required of ID tokens alone.
func (c *converter) tokenFile(path string, groups []string) ([]string, error) {
	content, err := c.ReadFile(path)
	if err != nil {
		return nil, err
	}
	scheme := []string{"api_key {", "from header X-Api-Key"}
	count := 0
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		count++
		key := fmt.Sprintf("key token-%d %s", count, apikeyformat.Digest(line))
		if len(groups) > 0 {
			scheme = append(scheme, key+" {", quoteAll(append([]string{"role"}, groups...)...), "}")
		} else {
			scheme = append(scheme, key)
		}
	}
	if count == 0 {
		return nil, fmt.Errorf("no keys in %s", path)
	}
	return append(scheme, "}"), nil
}
