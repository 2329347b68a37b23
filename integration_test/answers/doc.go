// Package answers tests the answers of a running Caddy, header field by header field,
// their pages and streams, and the requests that the upstream receives.
package answers
