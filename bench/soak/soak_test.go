package main

import (
	"os"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/bench/serve"
)

func TestMain(m *testing.M) {
	if serve.Run() {
		return
	}
	os.Exit(m.Run())
}

// TestSoak goes on for as long as one reload needs.
func TestSoak(t *testing.T) {
	if err := soak(6*time.Second, 3*time.Second); err != nil {
		t.Error(err)
	}
}
