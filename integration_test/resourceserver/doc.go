// Package resourceserver tests a running Caddy as an OAuth 2 resource server beyond
// plain tokens. It has step-up, opaque tokens, tokens bound to a key or a certificate,
// and metadata.
package resourceserver
