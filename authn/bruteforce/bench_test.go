package bruteforce

import (
	"testing"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/store/memory"
)

// BenchmarkAllow measures the cost of the limits for a good password and a good key.
func BenchmarkAllow(b *testing.B) {
	for name, attempt := range map[string]Attempt{
		"password": attemptOf("2001:db8:1:2:3:4:5:6", "alice", "YWxpY2U6Y29ycmVjdCBob3JzZQ=="),
		"key":      attemptOf("2001:db8:1:2:3:4:5:6", "", "demo-key-4f1c2a9be8d7"),
	} {
		b.Run(name, func(b *testing.B) {
			own := NewMemory()
			defer own.Destruct()
			g := New(Limits{}, memory.New(), own, zap.NewNop())
			good := func() Result { return Success }
			b.ReportAllocs()
			for b.Loop() {
				if _, refused := g.Allow(b.Context(), attempt, good); refused {
					b.Fatal("refused")
				}
			}
		})
	}
}
