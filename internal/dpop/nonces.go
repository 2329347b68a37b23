package dpop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	nonceStep     = 2 * time.Minute
	nonceKeyBytes = 32
)

// Nonces are server-provided values, so that a client cannot make proofs in advance
// (RFC 9449 §8 and §9). They are not stored: each one is a MAC over a step of time,
// with a key that clients do not know. A nonce is accepted in its own step and in the
// next one.
type Nonces struct {
	key []byte
	now func() time.Time
}

// NewNonces returns nonces with a random key, which lasts as long as the process.
func NewNonces(now func() time.Time) *Nonces {
	key := make([]byte, nonceKeyBytes)
	_, _ = rand.Read(key) // never fails, as its documentation says
	return &Nonces{key: key, now: now}
}

// Current returns the nonce of this step of time, for the field DPoP-Nonce. It consists
// of base64url characters only, which RFC 9449 §8.1 allows.
func (n *Nonces) Current() string { return n.at(n.current()) }

// Accepts reports, in constant time, whether this is the nonce of this step or of the
// previous one.
func (n *Nonces) Accepts(nonce string) bool {
	step, presented := n.current(), []byte(nonce)
	current := subtle.ConstantTimeCompare(presented, []byte(n.at(step)))
	previous := subtle.ConstantTimeCompare(presented, []byte(n.at(step-1)))
	return current|previous == 1
}

func (n *Nonces) current() int64 { return n.now().UnixNano() / int64(nonceStep) }

func (n *Nonces) at(step int64) string {
	mac := hmac.New(sha256.New, n.key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
