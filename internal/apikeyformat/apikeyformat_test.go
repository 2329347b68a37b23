package apikeyformat

import (
	"regexp"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	finder := regexp.MustCompile(Pattern)
	seen := make(map[string]bool)
	for range 1000 {
		key, err := New(DefaultPrefix)
		if err != nil {
			t.Fatal(err)
		}
		if found := finder.FindString("X-API-Key: " + key + "\n"); found != key {
			t.Fatalf("%s: a scanner finds %q", key, found)
		}
		if seen[key] || ChecksumMismatch(key) {
			t.Fatalf("%s is there twice, or its checksum is wrong", key)
		}
		seen[key] = true
	}
}

// TestKnown holds the format still: scanners are set up for it.
func TestKnown(t *testing.T) {
	body := "cra_" + strings.Repeat("0", 42) + "7"
	if got := checksum(body); got != "0QtIqZ" {
		t.Errorf("the checksum of %s is %s", body, got)
	}
	if got, want := Digest("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestMistyped(t *testing.T) {
	key, err := New("acme_live_")
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(key) {
		other := byte('x')
		if key[i] == other {
			other = 'y'
		}
		changed := key[:i] + string(other) + key[i+1:]
		if shape.MatchString(changed) && !ChecksumMismatch(changed) {
			t.Errorf("%s passes for %s", changed, key)
		}
	}
	for _, other := range []string{"", "hunter2", "ghp_0123456789", strings.Repeat("a", 49)} {
		if ChecksumMismatch(other) {
			t.Errorf("%q is not one of ours, and no mistake therefore", other)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"", "_", "cra", "a b_", "a-b_", strings.Repeat("a", 40) + "_", "{x}_", "\n_"} {
		if key, err := New(prefix); err == nil {
			t.Errorf("%q: %s", prefix, key)
		}
	}
}
