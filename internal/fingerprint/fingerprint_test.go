package fingerprint

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"runtime"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

func TestOf(t *testing.T) {
	big := &x509.Certificate{Raw: bytes.Repeat([]byte("x"), 90<<10)}
	t.Run("COST-1: a certificate is hashed once", func(t *testing.T) {
		cost := steps.Of(func() {
			for range 100 {
				if Of(big) != sha256.Sum256(big.Raw) {
					t.Fatal("another digest")
				}
			}
		})
		if cost != int64(len(big.Raw)) {
			t.Errorf("%d bytes were hashed", cost)
		}
	})
	t.Run("COST-1: what is known of a certificate goes with it", func(t *testing.T) {
		for range 100 {
			Of(&x509.Certificate{Raw: []byte("short-lived")})
		}
		entries := func() (count int) {
			digests.Range(func(any, any) bool { count++; return true })
			return count
		}
		for range 1000 {
			if entries() <= 1 {
				break
			}
			runtime.GC()
			runtime.Gosched()
		}
		if entries() > 1 {
			t.Errorf("%d are left", entries())
		}
	})
	runtime.KeepAlive(big)
}
