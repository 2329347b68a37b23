// Package redis tests several instances that share their state: real Caddy
// processes, asked from outside, and a real redis-server that is stopped,
// started again and frozen under load.
//
// The tests need the program redis-server and are left out without the build
// tag redis:
//
//	go test -tags redis ./integration_test/redis
package redis
