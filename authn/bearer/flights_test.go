package bearer

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// late is a source whose keys were not there yet when the request began: its
// fingerprint is the zero that all such sources have.
type late []*keyset.Key

func lateKey(key any) sources {
	return sources{{keys: late{{Algorithms: []string{"EdDSA"}, Public: key}}}}
}

func (l late) Find(context.Context, keyset.Query) ([]*keyset.Key, error) { return l, nil }

func (late) Fingerprint() uint64 { return 0 }

func (late) All() *keyset.Set { return nil }

// slowKey is a key whose check waits until the test releases it.
type slowKey struct {
	public           ed25519.PublicKey
	started, release chan struct{}
	checks           *atomic.Int32
}

func newSlowKey() slowKey {
	public := testKeys()["EdDSA"].(ed25519.PrivateKey).Public().(ed25519.PublicKey)
	return slowKey{public, make(chan struct{}, 9), make(chan struct{}), new(atomic.Int32)}
}

func (s slowKey) Public() crypto.PublicKey {
	s.checks.Add(1)
	s.started <- struct{}{}
	<-s.release
	return s.public
}

func (slowKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("a public key")
}

// TestFlights has one token come twice at the same moment, when the keys have just
// been fetched for the first time.
func TestFlights(t *testing.T) {
	stranger, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, other, token := scheme(t), scheme(t), sign(t, "EdDSA", nil, nil)
	own.cache, other.cache = nil, nil
	twice := func(t *testing.T, slow slowKey, second *Bearer) (after authn.Outcome) {
		t.Helper()
		var found authn.Outcome
		own.keys = lateKey(slow)
		go func() { found = verify(own, token) }()
		<-slow.started
		go func() { after = verify(second, token) }()
		synctest.Wait()
		close(slow.release)
		synctest.Wait()
		if found.Verdict != authn.Accepted {
			t.Errorf("its own scheme: %v, so this proves nothing", found.Reason)
		}
		return after
	}
	t.Run("JWT-8: what is good by the keys of one scheme is not by those of another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			other.keys = lateKey(stranger)
			if after := twice(t, newSlowKey(), other); after.Verdict == authn.Accepted {
				t.Error("the other scheme accepts it")
			}
		})
	})
	t.Run("with the same keys it is checked once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			slow := newSlowKey()
			if after := twice(t, slow, own); after.Verdict != authn.Accepted || slow.checks.Load() != 1 {
				t.Errorf("%v after %d checks", after.Reason, slow.checks.Load())
			}
		})
	})
}
