package requireauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/store"
)

// readRevocation reads a revocation and the schemes that it concerns. Errors name the
// member and never its value.
func (a *App) readRevocation(ctx context.Context, members map[string]any, now time.Time) (entry store.Entry, schemes []string, err error) {
	texts, err := readTexts(members)
	if err != nil {
		return entry, nil, err
	}
	revocation, err := a.readLimits(ctx, texts, now)
	if err != nil {
		return entry, nil, err
	}
	if schemes, err = a.schemesOf(revocation); err != nil {
		return entry, nil, err
	}
	entry, err = revocation.Entry(now)
	return entry, schemes, err
}

// readLimits reads what a revocation names, and its limits in time.
func (a *App) readLimits(ctx context.Context, texts map[string]string, now time.Time) (store.Revocation, error) {
	revocation, err := a.readNames(texts, "jti, sub, sid and token are all missing: give one of them")
	if err != nil {
		return revocation, err
	}
	for name, at := range map[string]*time.Time{"before": &revocation.Before, "until": &revocation.Until} {
		if texts[name] == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, texts[name]); err != nil {
			return revocation, fmt.Errorf("invalid %s: write an instant of RFC 3339, such as 2099-01-01T00:00:00Z", name)
		}
	}
	switch {
	case !revocation.Before.IsZero() && revocation.Subject == "" && revocation.Session == "":
		return revocation, errors.New("before goes with sub and sid only")
	case !revocation.Before.IsZero() && revocation.Scheme != "":
		return revocation, errors.New("before goes with tokens only: the credentials of this scheme do not say when they were issued")
	case !revocation.Until.IsZero() && !revocation.Until.After(now):
		return revocation, errors.New("until is in the past")
	case texts["token"] == "" || !revocation.Until.IsZero():
		return revocation, nil
	}
	revocation.Until, err = a.endOf(ctx, texts["token"], now)
	return revocation, err
}

// readTexts reads members that are strings.
func readTexts(members map[string]any) (map[string]string, error) {
	texts := make(map[string]string, len(members))
	for name, value := range members {
		text, ok := value.(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("invalid %s: write a string that is not empty", name)
		}
		texts[name] = text
	}
	return texts, nil
}

// readNames reads what a revocation names.
func (a *App) readNames(texts map[string]string, missing string) (store.Revocation, error) {
	revocation := store.Revocation{TokenID: texts["jti"], Subject: texts["sub"], Session: texts["sid"], Issuer: texts["issuer"], Scheme: texts["scheme"]}
	named := ""
	for _, name := range []string{"jti", "sub", "sid", "token"} {
		switch {
		case texts[name] == "":
			continue
		case named != "":
			return revocation, fmt.Errorf("%s and %s are both there: give one of them", named, name)
		case name != "token" && isCompact(texts[name]):
			return revocation, fmt.Errorf("%s is a whole token: write it as token", name)
		}
		named = name
	}
	token := texts["token"]
	switch {
	case named == "":
		return revocation, errors.New(missing)
	case revocation.Scheme != "" && (named != "sub" || revocation.Issuer != ""):
		return revocation, errors.New("scheme goes with sub only, and not beside issuer")
	case revocation.Issuer != "" && named == "token":
		return revocation, errors.New("issuer goes with jti, sub and sid only: a token has one issuer")
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return revocation, errors.New("invalid token: write it without spaces and without a scheme such as Bearer")
	case token != "":
		revocation.Digest = store.DigestOfToken(token)
	}
	return revocation, a.resolveScheme(&revocation)
}

// isCompact reports whether a name has the form of a signed or encrypted token.
// Names are listed, so a token must not be written as a name.
func isCompact(name string) bool {
	return strings.HasPrefix(name, "eyJ") && strings.Count(name, ".") >= 2
}

// resolveScheme replaces a scheme of tokens by its issuer.
func (a *App) resolveScheme(revocation *store.Revocation) error {
	for _, scheme := range a.registry.allSchemes() {
		if _, tokens := scheme.Scheme.(capability.Revocable); revocation.Scheme == "" || scheme.name != revocation.Scheme || !tokens {
			continue
		}
		revocation.Scheme, revocation.Issuer = "", issuerOf(scheme.Scheme)
		if revocation.Issuer == "" {
			return errors.New("the scheme takes tokens of any issuer: write issuer in its place")
		}
	}
	return nil
}

func issuerOf(scheme authn.Scheme) string {
	if reporter, ok := scheme.(report.Reporter); ok {
		return reporter.Report().Issuer
	}
	return ""
}

// schemesOf returns the names of the schemes that a revocation concerns. A scheme
// that has a list of its callers is concerned only if the caller is in it.
func (a *App) schemesOf(revocation store.Revocation) ([]string, error) {
	names, declared := []string{}, false
	for _, scheme := range a.registry.allSchemes() {
		declared = declared || scheme.name == revocation.Scheme
		concerns := revocation.Subject != "" && revocation.Issuer == "" && (revocation.Scheme == "" || revocation.Scheme == scheme.name)
		if _, tokens := scheme.Scheme.(capability.Revocable); tokens {
			issuer := issuerOf(scheme.Scheme)
			concerns = revocation.Scheme == "" && (revocation.Issuer == "" || issuer == "" || issuer == revocation.Issuer)
		} else if callers, ok := scheme.Scheme.(capability.Callers); ok && concerns {
			has, err := callers.HasCaller(revocation.Subject)
			if err != nil {
				return nil, fmt.Errorf("invalid sub: %w", err)
			}
			concerns = has
		}
		if concerns && !slices.Contains(names, scheme.name) {
			names = append(names, scheme.name)
		}
	}
	if revocation.Scheme != "" && !declared {
		return nil, errors.New("scheme not found")
	}
	return names, nil
}

// endOf returns when a token expires. It is zero for a token whose signature no
// scheme can verify.
func (a *App) endOf(ctx context.Context, token string, now time.Time) (latest time.Time, err error) {
	for _, scheme := range a.registry.allSchemes() {
		if revocable, ok := scheme.Scheme.(capability.Revocable); ok {
			if ends, sure := revocable.Ends(ctx, token); sure && ends.After(latest) {
				latest = ends
			}
		}
	}
	if !latest.IsZero() && !latest.After(now) {
		return latest, errors.New("the token has expired: it needs no revocation")
	}
	return latest, nil
}

func (a *App) revocationToUndo(members map[string]any) (store.Key, error) {
	texts, err := readTexts(members)
	if err != nil {
		return store.Key{}, err
	}
	if id := texts["id"]; id != "" {
		if len(texts) > 1 {
			return store.Key{}, errors.New("id goes with no other member: write id alone")
		}
		return readRevocationID(id)
	}
	named, err := a.readNames(texts, "id, jti, sub, sid and token are all missing: give one of them")
	if err != nil {
		return store.Key{}, err
	}
	return named.Key()
}

func readRevocationID(text string) (key store.Key, err error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) != len(key) {
		return key, errors.New("invalid id: write the member id of a revocation")
	}
	return store.Key(decoded), nil
}
