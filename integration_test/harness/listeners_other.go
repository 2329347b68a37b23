//go:build !linux

package harness

import "github.com/caddyserver/caddy/v2"

// listening returns each port as often as a configuration has a listener on it. Caddy
// counts one less just before it closes the listener.
func listening(ports []string) (found []string) {
	for _, port := range ports {
		for range caddy.ListenerUsage("tcp", ":"+port) {
			found = append(found, port)
		}
	}
	return found
}
