package bearer

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestTenants has an issuer with many tenants.
func TestTenants(t *testing.T) {
	const (
		template = "https://login.example.com/{tenantid}/v2.0"
		one      = "11111111-2222-3333-4444-555555555555"
		other    = "99999999-2222-3333-4444-555555555555"
	)
	issuerOf := func(tenant string) string { return "https://login.example.com/" + tenant + "/v2.0" }
	files := []string{file(t, public(t, signer{testKeys()["RS"]}))}
	named := mustProvision(t, &Bearer{Issuer: template, Tenants: []string{one}, KeyFiles: files})
	every := mustProvision(t, &Bearer{Issuer: template, Tenants: []string{"*"}, KeyFiles: files})
	for name, test := range map[string]struct {
		issuer     any
		tenant     any
		named, any bool
	}{
		"R9068-2: a named tenant":                     {issuerOf(one), one, true, true},
		"R9068-2: another tenant":                     {issuerOf(other), other, false, true},
		"R9068-2: iss of one tenant, tid of another":  {issuerOf(one), other, false, false},
		"R9068-2: iss of another tenant, tid of one":  {issuerOf(other), one, false, false},
		"R9068-2: the template itself":                {template, "{tenantid}", false, false},
		"R9068-2: the template itself, no tid":        {template, nil, false, false},
		"R9068-2: no tid":                             {issuerOf(one), nil, false, false},
		"R9068-2: no tenant":                          {issuerOf(""), "", false, false},
		"R9068-2: a tid that goes elsewhere":          {issuerOf("../" + one), "../" + one, false, false},
		"R9068-2: a tid that is a list":               {issuerOf(one), []string{one}, false, false},
		"R9068-2: a tid that ends the host":           {issuerOf("a/b"), "a/b", false, false},
		"R9068-2: any tenant is no tenant named by *": {issuerOf("*"), "*", false, false},
		"R9068-2: another issuer":                     {"https://login.example.com.evil/" + one + "/v2.0", one, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, "RS256", nil, map[string]any{"iss": test.issuer, "tid": test.tenant})
			for b, good := range map[*Bearer]bool{named: test.named, every: test.any} {
				if good {
					wantAccepted(t, b, token)
				} else {
					wantRefused(t, b, token, authn.CodeInvalidToken)
				}
			}
		})
	}
	if issuer, _ := named.AcceptsIssuer(); issuer != "" || named.Metadata().Issuer != "" {
		t.Error("the template passes for an issuer")
	}
}

// TestTenantsOfKeys has a document of keys that many tenants share. A JWK names the
// issuer whose tokens it may sign.
func TestTenantsOfKeys(t *testing.T) {
	const (
		template = "https://login.example.com/{tenantid}/v2.0"
		one      = "https://login.example.com/1111/v2.0"
		other    = "https://login.example.com/2222/v2.0"
	)
	for name, test := range map[string]struct {
		issuers   []string // of the keys that the document has under one ID
		configure string   // the issuer of the scheme
		good      bool
	}{
		"JWT-8: a key for every tenant":                 {[]string{template}, template, true},
		"JWT-8: a key without an issuer":                {[]string{""}, template, true},
		"JWT-8: the key of the tenant":                  {[]string{one}, template, true},
		"JWT-8: the key of another tenant":              {[]string{other}, template, false},
		"JWT-8: another site":                           {[]string{"https://login.other.com/{tenantid}/v2.0"}, template, false},
		"JWT-8: the template twice":                     {[]string{template + "{tenantid}"}, template, false},
		"JWT-8: one ID, one key of each tenant":         {[]string{other, one}, template, true},
		"JWT-8: a scheme of one tenant takes every key": {[]string{other}, one, true},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []json.RawMessage
			for _, issuer := range test.issuers {
				more := map[string]string{"kid": "k1"}
				if issuer != "" {
					more["issuer"] = issuer
				}
				keys = append(keys, jwkOf(t, "RS", more))
			}
			set, err := json.Marshal(map[string]any{"keys": keys})
			if err != nil {
				t.Fatal(err)
			}
			b := &Bearer{Issuer: test.configure, KeyFiles: []string{file(t, set)}}
			if test.configure == template {
				b.Tenants = []string{"*"}
			}
			b = mustProvision(t, b)
			token := sign(t, "RS256", map[string]any{"kid": "k1"}, map[string]any{"iss": one, "tid": "1111"})
			if test.good {
				wantAccepted(t, b, token)
				return
			}
			wantRefused(t, b, token, authn.CodeInvalidToken)
			if err := verify(b, token).Reason; !errors.Is(err, errOtherTenant) {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}
