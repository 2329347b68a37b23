// Package operations asks a running Caddy what its operator asks: the admin
// API, metrics, events and explanations.
package operations
