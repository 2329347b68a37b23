// Package realparts asks a running Caddy with parts that nobody here wrote: the
// authorization server oidc-provider, the clients oauth4webapi, those of the MCP SDKs
// for TypeScript and Go, and public clients of MCP.
//
// The tests have the build tag realparts and need Node.js and what
// package-lock.json names:
//
//	npm ci --prefix integration_test/realparts
//	go test -tags realparts ./integration_test/realparts
package realparts
