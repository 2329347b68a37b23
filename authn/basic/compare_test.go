package basic

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
)

func TestOneComputationEach(t *testing.T) {
	alone(t, 1)
	c := &counting{password: "secret"}
	b := users(t, c, "alice", "bob", "carol")
	for name, value := range map[string]string{
		"a wrong password":                 encode("alice:wrong"),
		"an unknown user":                  encode("mallory:wrong"),
		"an unknown user who guesses":      encode("mallory:secret"),
		"another unknown user":             encode("trudy:wrong"),
		"no name":                          encode(":secret"),
		"no colon":                         encode("alice"),
		"no base64":                        "!!",
		"nothing":                          "",
		"no UTF-8":                         encode("alice:\xff"),
		"a control character":              encode("alice:\x00"),
		"a password of a thousand bytes":   encode("alice:" + string(bytes.Repeat([]byte("x"), 1000))),
		"a value of sixteen thousand ones": string(bytes.Repeat([]byte("1"), 16000)),
	} {
		t.Run("LEAK-2: "+name+" costs one computation, every time", func(t *testing.T) {
			for range 3 {
				var outcome authn.Outcome
				if n := c.since(func() { outcome = tryRaw(b, value) }); n != 1 {
					t.Errorf("%d computations", n)
				}
				if outcome.Verdict == authn.Accepted || outcome.Code != authn.CodeInvalidCredentials || outcome.Identity != nil {
					t.Errorf("outcome %+v", outcome)
				}
			}
		})
	}
}

func TestUnknownUsersCostTheSame(t *testing.T) {
	alone(t, 1)
	slow, fast := new(counting), new(counting)
	directory, err := newDirectory([]account{{name: "a", hash: []byte("1"), comparer: slow}, {name: "b", hash: []byte("2"), comparer: fast}})
	if err != nil {
		t.Fatal(err)
	}
	b := new(Basic)
	b.users.Store(directory)
	t.Run("LEAK-2: an unknown name is always compared with the same hash", func(t *testing.T) {
		for i := range 20 {
			name := fmt.Sprintf("nobody-%d", i)
			first := slow.since(func() { try(b, name+":x") })
			for j := range 5 {
				if n := slow.since(func() { try(b, fmt.Sprintf("%s:%d", name, j)) }); n != first {
					t.Errorf("%s: %d computations of the slow kind, then %d", name, first, n)
				}
			}
		}
	})
	t.Run("LEAK-2: unknown names are spread over the kinds of hashes there are", func(t *testing.T) {
		if slow.calls.Load() == 0 || fast.calls.Load() == 0 {
			t.Errorf("%d of the one, %d of the other", slow.calls.Load(), fast.calls.Load())
		}
	})
}

func TestMemory(t *testing.T) {
	h := alone(t, 1)
	c := &counting{password: "secret"}
	b := users(t, c, "alice", "bob")
	t.Run("LEAK-2: a good password is computed once and then remembered", func(t *testing.T) {
		for i, want := range []struct {
			computed int64
			source   authn.Source
		}{{1, authn.SourceLocal}, {0, authn.SourceCache}, {0, authn.SourceCache}} {
			var outcome authn.Outcome
			if n := c.since(func() { outcome = try(b, "alice:secret") }); n != want.computed {
				t.Errorf("attempt %d: %d computations", i, n)
			}
			if outcome.Verdict != authn.Accepted || outcome.Identity.ID != "alice" || outcome.Source != want.source {
				t.Errorf("attempt %d: outcome %+v", i, outcome)
			}
		}
	})
	t.Run("LEAK-2: it is remembered for its user alone", func(t *testing.T) {
		if n := c.since(func() { try(b, "bob:secret") }); n != 1 {
			t.Errorf("%d computations", n)
		}
	})
	t.Run("LEAK-2: it is remembered over a reload, but not after the hash has changed", func(t *testing.T) {
		if n := c.since(func() { try(users(t, c, "alice"), "alice:secret") }); n != 0 {
			t.Errorf("reloaded: %d computations", n)
		}
		changed := users(t, c, "alice")
		changed.users.Load().byName["alice"].hash = []byte("another hash")
		if n := c.since(func() { try(changed, "alice:secret") }); n != 1 {
			t.Errorf("changed: %d computations", n)
		}
	})
	before := slices.Collect(h.good.Keys())
	t.Run("LEAK-2: bad passwords, also valid ones of unknown users, are not remembered", func(t *testing.T) {
		for i := range 100 {
			try(b, fmt.Sprintf("alice:wrong-%d", i))
			try(b, fmt.Sprintf("nobody-%d:secret", i))
		}
		if after := slices.Collect(h.good.Keys()); len(after) != len(before) {
			t.Errorf("%d entries, then %d", len(before), len(after))
		}
	})
	t.Run("LEAK-5: what is remembered are digests under a key of this process", func(t *testing.T) {
		if want := keyedhash.OfList("alice", "hash of alice", "secret"); !slices.Contains(before, want) {
			t.Fatalf("%x is not among %d entries", want, len(before))
		}
		for _, entry := range before {
			if bytes.Contains(entry[:], []byte("secret")) || bytes.Contains(entry[:], []byte("alice")) {
				t.Errorf("%q", entry)
			}
		}
	})
	t.Run("O-2: a computation that fails admits no caller and is not remembered", func(t *testing.T) {
		broken := &counting{password: "secret", err: errors.New("broken")}
		for range 2 {
			if outcome := try(users(t, broken, "dave"), "dave:secret"); outcome.Verdict == authn.Accepted {
				t.Errorf("outcome %+v", outcome)
			}
		}
		if broken.calls.Load() != 2 {
			t.Errorf("%d computations", broken.calls.Load())
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	h := alone(t, 1)
	c := &counting{password: "secret"}
	t.Run("LEAK-2: of good passwords ten thousand are remembered", func(t *testing.T) {
		for i := range 11_000 {
			user := account{name: "alice", hash: fmt.Append(nil, i), comparer: c}
			if same, _, err := compare(&user, "alice", "secret", func() string { return "" }); !same || err != nil {
				t.Fatal(same, err)
			}
		}
		h.good.CleanUp()
		if n := h.good.EstimatedSize(); n > 10_000 || n < 9_000 {
			t.Errorf("%d are", n)
		}
	})
}

func TestForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone(t, 1)
		c := &counting{password: "secret"}
		b := users(t, c, "alice")
		try(b, "alice:secret")
		for range 3 { // each use counts again
			time.Sleep(rememberFor - time.Second) // the clock of the bubble
			if n := c.since(func() { try(b, "alice:secret") }); n != 0 {
				t.Errorf("before its time: %d computations", n)
			}
		}
		time.Sleep(rememberFor + time.Second)
		if n := c.since(func() { try(b, "alice:secret") }); n != 1 {
			t.Errorf("after its time: %d computations", n)
		}
	})
}

// TestNewHash gives a user another hash, as a file that changes does.
func TestNewHash(t *testing.T) {
	alone(t, 1)
	c := &counting{password: "secret"}
	b := users(t, c, "alice")
	try(b, "alice:secret")
	alice := b.users.Load().byName["alice"]
	alice.hash = append([]byte("another "), alice.hash...)
	if n := c.since(func() { try(b, "alice:secret") }); n != 1 {
		t.Errorf("%d computations", n)
	}
}

// TestManyAtOnce has a page load 16 things with a password that was not seen yet.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone(t, 1)
		c := &counting{password: "secret"}
		b := users(t, c, "alice")
		n := c.since(func() {
			var requests sync.WaitGroup
			for range 16 {
				requests.Go(func() {
					if outcome := try(b, "alice:secret"); outcome.Verdict != authn.Accepted {
						t.Errorf("%v %v", outcome.Verdict, outcome.Reason)
					}
				})
			}
			requests.Wait()
		})
		if n > 1 {
			t.Errorf("%d computations", n)
		}
	})
}

func TestSlots(t *testing.T) {
	t.Run("R7617-5: half of the processors hash", func(t *testing.T) {
		if got, want := atOnce(), max(1, runtime.GOMAXPROCS(0)/2); got != want {
			t.Errorf("%d slots, want %d", got, want)
		}
	})
}
