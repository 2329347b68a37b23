// Package realparts tests a running Caddy with software of other projects. It has the
// authorization server oidc-provider, the client oauth4webapi, and the MCP SDKs for
// TypeScript and Go. It also has public clients of MCP, grpc-js, FastAPI, and programs
// such as curl and skopeo.
//
// The tests have the build tag realparts. They need the programs that .ci/run names for
// them, and the packages of package-lock.json:
//
//	npm ci --prefix integration_test/realparts
//	go test -tags realparts ./integration_test/realparts
package realparts
