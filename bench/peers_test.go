//go:build peers

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPeers shows that every peer accepts the credential, and denies a wrong one and
// none. It needs caddy-jwt in its folder, see docs/performance.md.
func TestPeers(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	program, err := buildPeers(folder)
	if err != nil {
		t.Fatal(err)
	}
	global, err := configuration(keys)
	if err != nil {
		t.Fatal(err)
	}
	all, err := peerRows(setting{options: quick, keys: keys, folder: filepath.Clean(folder)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		r.check(t, program, folder, global)
	}
	var table strings.Builder
	if err := measureServers(&table, quick, program, folder, keys, peerRows); err != nil {
		t.Error(err)
	}
}
