// Package resourceserver asks a running Caddy for what an OAuth 2 resource
// server does beyond plain tokens: step-up, opaque tokens, tokens bound to a
// key or a certificate, metadata.
package resourceserver
