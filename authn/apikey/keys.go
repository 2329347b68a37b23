package apikey

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// Key is an accepted API key.
type Key struct {
	// The name of the key, for logs and as the caller's id.
	ID string `json:"id"`
	// The digest of the key: `sha256:` and 64 hexadecimal digits.
	// Placeholders such as `{env.KEY_DIGEST}` are replaced at load.
	Digest string `json:"digest"`
	// The scopes of the holder. Default: none.
	Scopes []string `json:"scopes,omitempty"`
	// The roles of the holder. Default: none.
	Roles []string `json:"roles,omitempty"`
	// The end of the key, in RFC 3339. Default: the key does not expire.
	Expires *time.Time `json:"expires,omitempty"`
}

const digestPrefix = "sha256:"

func (k Key) check() error {
	if k.ID == "" || strings.ContainsFunc(k.ID, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("key id %q: it must not be empty nor hold a control character", k.ID)
	}
	if block.HasPlaceholder(k.Digest) {
		return nil
	}
	_, err := k.digest()
	return err
}

// digest decodes the digest. Its error never repeats the value: it may be the
// key itself.
func (k Key) digest() (sum [sha256.Size]byte, err error) {
	text, ok := strings.CutPrefix(k.Digest, digestPrefix)
	if _, err := hex.Decode(sum[:], []byte(text[:min(len(text), 2*len(sum))])); !ok || err != nil || len(text) != 2*len(sum) {
		return sum, fmt.Errorf("key %q: write the key as `sha256:` and the 64 hexadecimal digits of its SHA-256, not the key itself: `printf %%s \"$KEY\" | sha256sum`", k.ID)
	}
	return sum, nil
}

// parseFile reads a file of keys. An empty list withdraws all keys. An empty file
// does not: a full disk may have cut it.
func parseFile(content []byte) ([]Key, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, errors.New("the file is empty: write [] for no keys")
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var keys []Key
	if err := decoder.Decode(&keys); err != nil || keys == nil { // nil: null
		return nil, errors.New(`not a JSON array of keys such as {"id": "partner-a", "digest": "sha256:…", "scopes": ["read"]}`)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON array of keys")
	}
	return keys, nil
}

// index finds keys by their digest. It contains digests only. Go's maps have a random
// hash seed, so the time of a look-up discloses nothing about similar digests.
type index struct {
	byDigest   map[[sha256.Size]byte]*entry
	generation uint64 // each index of the process has its own number
}

// indexes counts the indexes of the process.
var indexes atomic.Uint64

type entry struct {
	digest   [sha256.Size]byte
	identity *authn.Identity
}

func newIndex(keys []Key) (*index, error) {
	ids := make(map[string]bool, len(keys))
	index := &index{byDigest: make(map[[sha256.Size]byte]*entry, len(keys)), generation: indexes.Add(1)}
	for _, key := range keys {
		if err := key.check(); err != nil {
			return nil, err
		}
		digest, err := key.digest()
		if err != nil {
			return nil, err
		}
		if ids[key.ID] || index.byDigest[digest] != nil {
			return nil, fmt.Errorf("key %q: duplicate id or digest", key.ID)
		}
		ids[key.ID] = true
		identity := &authn.Identity{ID: key.ID, Scopes: key.Scopes, Roles: key.Roles}
		if key.Expires != nil {
			identity.Expires = *key.Expires
		}
		index.byDigest[digest] = &entry{digest: digest, identity: identity}
	}
	return index, nil
}

// find returns the entry of a key, or nil. An empty key has no entry, whatever digest
// is configured.
func (i *index) find(key string) *authn.Identity {
	if key == "" {
		return nil
	}
	steps.Add(len(key))
	digest := sha256.Sum256([]byte(key))
	entry := i.byDigest[digest]
	if entry == nil || subtle.ConstantTimeCompare(entry.digest[:], digest[:]) != 1 {
		return nil
	}
	return entry.identity
}
