// Package browser asks a running Caddy from Chromium, as web applications and people
// do. The scripts beside it drive the browser and print what they saw; the tests
// compare. They need Chromium, Node.js and the packages of package-lock.json, so they
// have a build tag:
//
//	npm ci --prefix integration_test/browser
//	go test -tags browser ./integration_test/browser
//
// With -update the tests replace the pictures of docs/images.
package browser
