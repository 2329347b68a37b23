package bearer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

// IdentityProvider returns the issuer and how it is reached.
func (b *Bearer) IdentityProvider(ctx context.Context) (idp.Provider, error) {
	client, err := idp.NewClientTrusting(ctx, b.CAFile, b.runningLogger()())
	return idp.Provider{Issuer: b.Issuer, Client: client, HTTPHosts: b.AllowHTTP}, err
}

// checkAccess checks how the provider is reached.
func (b *Bearer) checkAccess() error {
	switch {
	case b.JWKSTokenFile != "" && !isURL(b.JWKS) && !block.HasPlaceholder(b.JWKS):
		return errors.New("bearer_token_file is for the URL of a key set: write `jwks <url>`")
	case b.JWKSTokenFile != "" && idp.IsPlaintext(b.JWKS):
		return errors.New("bearer_token_file would be sent without TLS: write an https:// URL in `jwks`")
	}
	addresses := []string{b.JWKS, b.Issuer}
	if b.Introspection != nil {
		addresses = append(addresses, b.Introspection.Endpoint)
	}
	if b.CAFile != "" && !slices.ContainsFunc(addresses, func(address string) bool { return isURL(address) || block.HasPlaceholder(address) }) {
		return errors.New("ca_file is for fetches, and this scheme fetches nothing")
	}
	return idp.CheckHTTPHosts(b.AllowHTTP, addresses...)
}

// anyTenant accepts every tenant.
const anyTenant = "*"

// tenantID is what `tid` may be. Entra has GUIDs there.
var tenantID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

// checkTenants wants tenants for a template, and a template for tenants.
func (b *Bearer) checkTenants() error {
	count := strings.Count(b.Issuer, idp.TenantPlaceholder)
	switch {
	case count == 0 && len(b.Tenants) > 0:
		return errors.New("tenants needs `{tenantid}` in the issuer, such as https://login.microsoftonline.com/{tenantid}/v2.0")
	case count > 1:
		return errors.New("invalid issuer: write `{tenantid}` once")
	case count == 1 && len(b.Tenants) == 0:
		return errors.New("the issuer has `{tenantid}`: add `tenants <id>...`, or `tenants *` if users of every tenant are meant")
	case count == 1 && b.Introspection != nil && b.Introspection.Endpoint == autoEndpoint:
		return errors.New("introspection auto needs one issuer: write `introspection <url>` beside `tenants`")
	case slices.Contains(b.Tenants, anyTenant):
		if len(b.Tenants) > 1 {
			return errors.New("tenants * makes the other tenants meaningless: write either")
		}
		return nil
	}
	for _, tenant := range b.Tenants {
		if !tenantID.MatchString(tenant) {
			return fmt.Errorf("tenants: %q is not the ID of a tenant", tenant)
		}
	}
	return nil
}

// isTemplate reports whether the issuer is one for each tenant.
func (b *Bearer) isTemplate() bool { return strings.Contains(b.Issuer, idp.TenantPlaceholder) }

// isOwnIssuer reports whether `iss` is the issuer, code point by code point. With a
// template it is that of an accepted tenant, which `tid` names too.
func (b *Bearer) isOwnIssuer(t *token) bool {
	issuer, _ := t.early("iss").(string)
	before, after, template := strings.Cut(b.Issuer, idp.TenantPlaceholder)
	if !template {
		return issuer == b.Issuer
	}
	tenant, _ := t.early("tid").(string)
	accepted := b.Tenants[0] == anyTenant || slices.Contains(b.Tenants, tenant)
	return accepted && tenantID.MatchString(tenant) && issuer == before+tenant+after
}
