package facade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/block"
)

// ReadBlock sets up the facade from Caddyfile tokens, with the dispenser on the word
// `authorization_server_facade`. Syntax:
//
//	authorization_server_facade <bearer scheme> {
//		client_id     <id>
//		client_secret <secret>
//		drop          <parameter>...
//		scope         <scope>...
//		redirect_uri  <uri>...
//		authorization_endpoint <url>
//		token_endpoint <url>
//		state_secret  <secret>
//	}
func (f *Facade) ReadBlock(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	if !d.AllArgs(&f.Provider) {
		return d.Err("write `authorization_server_facade <bearer scheme>`")
	}
	err := block.Read(d, block.Lines{
		"client_id":              block.String(&f.ClientID),
		"client_secret":          block.Secret(&f.ClientSecret),
		"drop":                   block.Strings(&f.Drop),
		"scope":                  block.Strings(&f.Scopes),
		"redirect_uri":           block.Strings(&f.RedirectURIs),
		"authorization_endpoint": block.String(&f.AuthorizationEndpoint),
		"token_endpoint":         block.String(&f.TokenEndpoint),
		"state_secret":           block.Secret(&f.StateSecret),
	})
	if err != nil {
		return err
	}
	return start.Wrap(f.checkLines())
}

// Check validates the configuration for an issuer.
func (f *Facade) Check(issuer string) error {
	if strings.Contains(issuer, "?") {
		return errors.New("an issuer has no query (RFC 8414 §2): write the URL of the resource without one")
	}
	return f.checkLines()
}

// checkLines checks the lines. Placeholders pass: they are checked after their
// replacement.
func (f *Facade) checkLines() error {
	switch {
	case f.Provider == "":
		return errors.New("the facade has no provider: name a bearer scheme that the gate accepts")
	case f.ClientID == "":
		return errors.New("client_id is missing: write the client that is registered at the provider")
	case strings.HasPrefix(f.ClientID, "https://"):
		return errors.New("client_id: an https:// URL is a client ID metadata document")
	case f.StateSecret != "" && len(f.StateSecret) < minSecret && !block.HasPlaceholder(f.StateSecret):
		return fmt.Errorf("state_secret is shorter than %d bytes: write the output of `openssl rand -base64 48`", minSecret)
	}
	for _, scope := range f.Scopes {
		if !authheader.IsScopeToken(scope) {
			return fmt.Errorf("invalid scope %q: write scopes such as openid, with spaces between them", scope)
		}
	}
	for _, name := range f.Drop {
		if slices.Contains(essential, name) {
			return fmt.Errorf("drop %s: the facade needs this parameter", name)
		}
	}
	for _, uri := range f.RedirectURIs {
		if err := checkListed(uri); err != nil {
			return fmt.Errorf("redirect_uri %q: %w", uri, err)
		}
	}
	return nil
}

// passable are the parameters of a client that the provider gets, if it sends them. With
// others, such as `audience`, a client could get a token for more than the user is asked
// about.
var passable = []string{
	"scope", "resource", "nonce", "prompt", "login_hint", "max_age", "acr_values", "display", "ui_locales", "id_token_hint",
}

// essential are the parameters of OAuth that the facade sets itself.
var essential = []string{
	"response_type", "client_id", "client_secret", "redirect_uri", "state", "code", "code_challenge", "code_challenge_method",
	"code_verifier", "grant_type", "refresh_token",
}
