package faults

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// watched is a file that a scheme follows, with two versions of it. The second admits
// another caller.
type watched struct {
	name          string
	scheme        string // the lines of the scheme; %s is the file
	first, second string
	one, two      harness.Option // who is let in by each
}

func watchedFiles(t *testing.T) []watched {
	t.Helper()
	hash := func(password string) string {
		hashed, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hashed)
	}
	key := func(id, key string) string { return `[{"id":"` + id + `","digest":"` + digestOf(key) + `"}]` }
	pair := func() (public ed25519.PublicKey, token harness.Option) {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return public, harness.Bearer(harness.Sign(t, jwa.EdDSA, private, nil))
	}
	text := func(public ed25519.PublicKey) string {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	set := func(public ed25519.PublicKey) string {
		return `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	}
	expected := "issuer " + harness.Issuer + "\naudience " + harness.Audience + "\n"
	p1, t1 := pair()
	p2, t2 := pair()
	j1, u1 := pair()
	j2, u2 := pair()
	return []watched{
		{"users_file", "basic {\nusers_file %s\n}", "alice:" + hash("one") + "\n", "alice:" + hash("two") + "\n", harness.Basic("alice", "one"), harness.Basic("alice", "two")},
		{"keys_file", "api_key {\nkeys_file %s\n}", key("a", "one-0123456789"), key("a", "two-0123456789"), harness.Header("X-API-Key", "one-0123456789"), harness.Header("X-API-Key", "two-0123456789")},
		{"users_file beside users", "basic {\nuser olga " + hash("olga") + "\nusers_file %s\n}", "alice:" + hash("one") + "\n", "alice:" + hash("two") + "\n", harness.Basic("alice", "one"), harness.Basic("alice", "two")},
		{"keys_file beside keys", "api_key {\nkey o " + digestOf("olga-0123456789") + "\nkeys_file %s\n}", key("a", "one-0123456789"), key("a", "two-0123456789"), harness.Header("X-API-Key", "one-0123456789"), harness.Header("X-API-Key", "two-0123456789")},
		{"key_file", "bearer {\n" + expected + "key_file %s\n}", text(p1), text(p2), t1, t2},
		{"jwks", "bearer {\n" + expected + "jwks %s\n}", set(j1), set(j2), u1, u2},
	}
}

// damages do something to a file, after which it cannot be used.
var damages = map[string]func(t *testing.T, path string, good string){
	"vanishes":             func(*testing.T, string, string) {},
	"becomes empty":        func(t *testing.T, path, _ string) { put(t, path, "") },
	"shrinks to half":      func(t *testing.T, path, good string) { put(t, path, good[:len(good)/2]) },
	"is filled with zeros": func(t *testing.T, path, good string) { put(t, path, strings.Repeat("\x00", len(good))) },
	"is filled with text":  func(t *testing.T, path, _ string) { put(t, path, "the disk was full\n") },
	"grows beyond 16 MiB":  func(t *testing.T, path, good string) { put(t, path, good+strings.Repeat("\n", 16<<20)) },
	"is a folder now":      func(t *testing.T, path, _ string) { done(t, os.Mkdir(path, 0o700)) },
	"is a link to nothing": func(t *testing.T, path, _ string) { done(t, os.Symlink(path+".nothing", path)) },
	"is a link to itself":  func(t *testing.T, path, _ string) { done(t, os.Symlink(path, path)) },
	"is a device now":      func(t *testing.T, path, _ string) { done(t, os.Symlink(os.DevNull, path)) },
}

func put(t *testing.T, path, content string) {
	t.Helper()
	done(t, os.WriteFile(path, []byte(content), 0o600))
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFiles damages files while they are in use. The last good content stays in force,
// the log says so once, and a good file is loaded again.
func TestFiles(t *testing.T) {
	for _, file := range watchedFiles(t) {
		t.Run(file.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "watched")
			put(t, path, file.first)
			s := harness.Start(t, "{\nauto_https off\nauth {\nattempts off\n"+fmt.Sprintf(file.scheme, path)+"\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond ok\n}")
			letsIn := func(option harness.Option) bool { return s.Get("/", option).Status == 200 }
			for name, damage := range damages {
				t.Run("GW-5: "+name, func(t *testing.T) {
					complained := strings.Count(s.LogText(), "cannot be used")
					done(t, os.RemoveAll(path))
					damage(t, path, file.first)
					harness.Eventually(t, "a complaint", func() bool { return strings.Count(s.LogText(), "cannot be used") > complained })
					if !letsIn(file.one) || letsIn(file.two) {
						t.Error("what was good is no longer in force")
					}
					done(t, os.RemoveAll(path))
					put(t, path, file.second)
					harness.Eventually(t, "the second version", func() bool { return letsIn(file.two) })
					if letsIn(file.one) {
						t.Error("the first version is still in force")
					}
					put(t, path+".new", file.first)
					done(t, os.Rename(path+".new", path))
					harness.Eventually(t, "the first version again", func() bool { return letsIn(file.one) })
				})
			}
			if log := s.LogText(); strings.Contains(log, file.first) || strings.Contains(log, strings.TrimSpace(file.second)) {
				t.Error("the log repeats the file")
			}
		})
	}
}

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
