// Package caddyrequest reads what Caddy's server notes of a request. It has the names of
// caddyhttp and does not import it: with caddyhttp, each test of a scheme would link 600
// more packages.
package caddyrequest

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// The names are those of caddyhttp. The root package does not compile if they differ.
const (
	OriginalKey     caddy.CtxKey = "original_request"
	VarsKey         caddy.CtxKey = "vars"
	ClientIPKey                  = "client_ip"
	TrustedProxyKey              = "trusted_proxy"
)

// Original returns the request as the client sent it, before rewrites.
func Original(r *http.Request) (original http.Request, found bool) {
	original, _ = r.Context().Value(OriginalKey).(http.Request)
	return original, original.URL != nil
}

// ClientIP returns the address of the client, see Caddy's trusted_proxies. It is empty
// if the address is unknown.
func ClientIP(r *http.Request) string {
	address, _ := variable(r, ClientIPKey).(string)
	return address
}

// FromTrustedProxy reports whether the request came from a proxy that Caddy trusts.
func FromTrustedProxy(r *http.Request) bool {
	trusted, _ := variable(r, TrustedProxyKey).(bool)
	return trusted
}

func variable(r *http.Request, name string) any {
	vars, _ := r.Context().Value(VarsKey).(map[string]any)
	return vars[name]
}
