package basic

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
)

// account is a user with a comparer for the password.
type account struct {
	name     string
	hash     []byte
	comparer caddyauth.Comparer
	identity *authn.Identity
}

// checkName refuses a name that no client can send. The error never contains the name,
// which may be a password on the wrong side of the colon.
func checkName(name string) error {
	switch {
	case name == "" || strings.Contains(name, ":") || hasControl(name):
		return errors.New("the user name must not be empty, nor hold a colon or a control character (RFC 7617 §2)")
	case !utf8.ValidString(name):
		return errors.New("the user name is not UTF-8: save the file as UTF-8")
	case strings.ContainsRune(name, '\ufeff'):
		return errors.New("the user name holds a byte order mark, which is invisible: delete it")
	case strings.HasPrefix(name, "$"):
		return errors.New("the user name looks like a hash: write the name first, then the hash")
	}
	return nil
}

func (u User) check() error {
	if err := checkName(u.Name); err != nil {
		return err
	}
	if block.HasPlaceholder(u.Hash) {
		return nil
	}
	_, err := comparerFor(u.Hash)
	if err != nil {
		return fmt.Errorf("user %q: %w", u.Name, err)
	}
	return nil
}

func newAccount(u User) (account, error) {
	comparer, err := comparerFor(u.Hash)
	if err != nil {
		return account{}, fmt.Errorf("user %q: %w", u.Name, err)
	}
	name := norm.NFC.String(u.Name)
	return account{
		name: name, hash: []byte(u.Hash), comparer: comparer,
		identity: &authn.Identity{ID: name, Scopes: u.Scopes, Roles: u.Roles},
	}, nil
}

// errWeakHash never contains the value, which may be a password.
var errWeakHash = errors.New("the hash is neither bcrypt ($2a$, $2b$, $2y$) nor argon2id ($argon2id$): make one with `caddy hash-password`")

// bcryptForm is the form of a bcrypt hash. Other damage than to the cost would appear
// only at a login.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

const (
	// maxCost is the greatest bcrypt cost: about 10 s for a hash, a third of the time
	// that a request waits for its turn. Any client can cause the computation of that
	// hash.
	maxCost = 17

	// maxArgonWork bounds the memory of an argon2id hash in KiB, multiplied by its
	// passes: a few seconds.
	maxArgonWork = 4 << 20
)

// comparerFor returns Caddy's module for a hash. It finds at load the errors that would
// otherwise appear only at a login.
func comparerFor(hash string) (caddyauth.Comparer, error) {
	switch {
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
		cost, err := bcrypt.Cost([]byte(hash))
		if err != nil || !bcryptForm.MatchString(hash) {
			return nil, errors.New("the bcrypt hash is damaged: make a new one with `caddy hash-password`")
		}
		if cost > maxCost {
			return nil, fmt.Errorf("the bcrypt cost is above %d: one login would keep all others waiting", maxCost)
		}
		return caddyauth.BcryptHash{}, nil
	case strings.HasPrefix(hash, "$argon2id$"):
		if err := checkArgon2id(hash); err != nil {
			return nil, err
		}
		return caddyauth.Argon2idHash{}, nil
	default:
		return nil, errWeakHash
	}
}

// checkArgon2id refuses parameters that cause a panic, need gigabytes, or are too weak.
func checkArgon2id(hash string) error {
	var version, memory, passes, threads int
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$", &version, &memory, &passes, &threads); err != nil {
		return errors.New("the argon2id hash is damaged: make a new one with `caddy hash-password --algorithm argon2id`")
	}
	if passes < 1 || passes > 64 || threads < 1 || threads > 64 || memory < 8*threads || memory > 1<<20 {
		return errors.New("the argon2id parameters are out of range: t from 1 to 64, p from 1 to 64, m up to 1048576 KiB")
	}
	if memory*passes > maxArgonWork {
		return fmt.Errorf("the argon2id parameters are out of range: m times t up to %d KiB", maxArgonWork)
	}
	_, key, err := caddyauth.DecodeHash([]byte(hash))
	if err != nil || len(key) < 16 {
		return errors.New("the argon2id hash is damaged or shorter than 16 bytes: make a new one with `caddy hash-password --algorithm argon2id`")
	}
	return nil
}

// parseHtpasswd reads lines of the form name:hash. It ignores empty lines and lines
// that begin with #. An error contains the line number and no text of the line, because
// a password may be in a wrong place.
//
// A file of comments withdraws all users. An empty file is an error: a full disk may
// have truncated it.
func parseHtpasswd(content []byte) ([]account, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, errors.New("the file is empty: write a line that begins with # for no users")
	}
	var accounts []account
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, colon := strings.Cut(line, ":")
		if !colon {
			return nil, fmt.Errorf("line %d: not of the form name:hash", number)
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if _, err := comparerFor(hash); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		account, err := newAccount(User{Name: name, Hash: hash})
		if err != nil {
			return nil, fmt.Errorf("line %d: the hash cannot be used", number)
		}
		accounts = append(accounts, account)
	}
	return accounts, lines.Err()
}

// directory is an immutable set of users.
type directory struct {
	byName     map[string]*account
	decoys     []decoyAccount
	generation uint64 // each directory of the process has its own number
}

// directories counts the directories of the process.
var directories atomic.Uint64

func newDirectory(accounts []account) (*directory, error) {
	d := &directory{byName: make(map[string]*account, len(accounts)), decoys: newDecoys(accounts), generation: directories.Add(1)}
	for i := range accounts {
		if d.byName[accounts[i].name] != nil {
			return nil, fmt.Errorf("duplicate user %q", accounts[i].name)
		}
		d.byName[accounts[i].name] = &accounts[i]
	}
	return d, nil
}

// matches returns the identity of the user if the password is correct. For an unknown
// user it computes the hash of a decoy, so the time discloses nothing, whatever mix of
// algorithms and costs is configured.
func (d *directory) matches(name, password string, client func() string) (*authn.Identity, authn.Source, error) {
	user, found := d.byName[name]
	switch {
	case len(d.byName) == 0:
		return nil, authn.SourceLocal, nil // no hash: there are no users to tell apart
	case !found:
		user = d.decoy(name)
	}
	same, source, err := compare(user, name, password, client)
	if err != nil || !same || !found {
		return nil, source, err
	}
	return user.identity, source, nil
}
