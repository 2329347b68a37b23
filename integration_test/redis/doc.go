// Package redis tests several instances that share their state. They are real Caddy
// processes with a real redis-server, which the tests stop, start and freeze under
// load.
//
// The tests need the program redis-server and are left out without the build
// tag redis:
//
//	go test -tags redis ./integration_test/redis
package redis
