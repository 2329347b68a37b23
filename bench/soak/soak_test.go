package main

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == serveCommand {
		serve(os.Args[2])
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
