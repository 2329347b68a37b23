package resource

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Check validates the configuration of a resource.
func (r *Resource) Check() error {
	if err := r.checkURL(); err != nil {
		return err
	}
	if r.Facade != nil {
		if err := r.Facade.Check(r.URL); err != nil {
			return fmt.Errorf("authorization_server_facade: %w", err)
		}
	}
	return r.checkMembers()
}

// checkURL refuses an identifier that clients cannot use, or that they change before
// they request its document. Errors never contain a URL, which may have a password by
// mistake.
func (r *Resource) checkURL() error {
	if r.URL == "" {
		return errors.New("a protected resource needs the URL by which clients call it: write for example https://api.example.com/mcp")
	}
	if err := checkCharacters(r.URL); err != nil {
		return fmt.Errorf("the protected resource: %w", err)
	}
	if err := idp.CheckURL(r.URL); err != nil {
		return fmt.Errorf("the protected resource: %w", err)
	}
	_, path, _ := r.split()
	for segment := range strings.SplitSeq(path, "/") {
		if segment = unescape(segment); segment == "." || segment == ".." {
			return fmt.Errorf("the protected resource: clients take a segment %q out of the path: write the URL without it", segment)
		}
	}
	return nil
}

// checkMembers checks everything but the URL.
func (r *Resource) checkMembers() error {
	for _, page := range []struct{ name, url string }{
		{"documentation", r.Documentation},
		{"policy_uri", r.PolicyURI},
		{"tos_uri", r.TermsURI},
	} {
		if err := checkPage(page.url); err != nil {
			return fmt.Errorf("%s: %w", page.name, err)
		}
	}
	if r.Facade != nil && len(r.AuthorizationServers) > 0 {
		return errors.New("authorization_server_facade is the authorization server: take the line authorization_server out")
	}
	for _, issuer := range r.AuthorizationServers {
		if err := checkCharacters(issuer); err != nil {
			return fmt.Errorf("authorization_server: %w", err)
		}
		if err := idp.CheckIssuer(issuer); err != nil {
			return fmt.Errorf("authorization_server: %w", err)
		}
	}
	for _, scope := range r.Scopes {
		if !authheader.IsScopeToken(scope) {
			return fmt.Errorf("invalid scope %q: write scopes such as read, with spaces between them", scope)
		}
	}
	return nil
}

// checkPage validates the URL of a public page. It may be empty.
func checkPage(text string) error {
	if text == "" {
		return nil
	}
	if err := checkCharacters(text); err != nil {
		return err
	}
	page, err := url.Parse(text)
	if err != nil || page.Host == "" || page.User != nil || page.Scheme != "https" && page.Scheme != "http" {
		return errors.New("write the URL of a public page, such as https://api.example.com/docs")
	}
	return nil
}

// checkCharacters refuses invalid characters of a URL (RFC 3986 §2) and placeholders:
// URLs are published as they are written.
func checkCharacters(text string) error {
	if strings.ContainsAny(text, "{}") {
		return errors.New("placeholders are not replaced here: write the URL itself, or {$NAME} in a Caddyfile for a variable of the environment")
	}
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>\\^`|", c) {
			return fmt.Errorf("invalid character %q in a URL: write it percent-encoded, or in a host name in its xn-- form", c)
		}
	}
	return nil
}
