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

// watchedFile is a file that a scheme follows, with two versions of it. The second admits
// another caller.
type watchedFile struct {
	name          string
	scheme        string // the lines of the scheme; %s is the file
	first, second string
	one, two      harness.Option // who is let in by each
}

func watchedFiles(t *testing.T) []watchedFile {
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
	return []watchedFile{
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
	"is a folder now":      func(t *testing.T, path, _ string) { mustSucceed(t, os.Mkdir(path, 0o700)) },
	"is a link to nothing": func(t *testing.T, path, _ string) { mustSucceed(t, os.Symlink(path+".nothing", path)) },
	"is a link to itself":  func(t *testing.T, path, _ string) { mustSucceed(t, os.Symlink(path, path)) },
	"is a device now":      func(t *testing.T, path, _ string) { mustSucceed(t, os.Symlink(os.DevNull, path)) },
}

func put(t *testing.T, path, content string) {
	t.Helper()
	mustSucceed(t, os.WriteFile(path, []byte(content), 0o600))
}

func mustSucceed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFiles damages files while they are in use, all kinds of files at once. The last
// good content stays in force, the log says so once, and a good file is loaded again.
func TestFiles(t *testing.T) {
	files, folder := watchedFiles(t), t.TempDir()
	path := func(i int) string { return filepath.Join(folder, fmt.Sprint(i), "watched") }
	var schemes, gates strings.Builder
	for i, file := range files {
		mustSucceed(t, os.Mkdir(filepath.Dir(path(i)), 0o700))
		put(t, path(i), file.first)
		schemes.WriteString(strings.Replace(fmt.Sprintf(file.scheme, path(i)), " {", fmt.Sprintf(" s%d {", i), 1) + "\n")
		fmt.Fprintf(&gates, "require_auth /%d s%[1]d\n", i)
	}
	s := harness.Start(t, "{\nauto_https off\nauth {\nattempts off\n"+schemes.String()+"}\n}\nhttp://localhost:8080 {\n"+gates.String()+"respond ok\n}")
	letsIn := func(i int, option harness.Option) bool { return s.Get(fmt.Sprint("/", i), option).Status == 200 }
	complaints := func(i int) (count int) {
		for line := range strings.Lines(s.LogText()) {
			if strings.Contains(line, "cannot be used") && strings.Contains(line, path(i)) {
				count++
			}
		}
		return count
	}
	for name, damage := range damages {
		t.Run("GW-5: "+name, func(t *testing.T) {
			before := make([]int, len(files))
			for i, file := range files {
				before[i] = complaints(i)
				mustSucceed(t, os.RemoveAll(path(i)))
				damage(t, path(i), file.first)
			}
			for i, file := range files {
				harness.Eventually(t, "a complaint about the "+file.name, func() bool { return complaints(i) > before[i] })
				if !letsIn(i, file.one) || letsIn(i, file.two) {
					t.Errorf("%s: what was good is no longer in force", file.name)
				}
			}
			for i, file := range files {
				mustSucceed(t, os.RemoveAll(path(i)))
				put(t, path(i), file.second)
			}
			for i, file := range files {
				harness.Eventually(t, "the second version of the "+file.name, func() bool { return letsIn(i, file.two) })
				if letsIn(i, file.one) {
					t.Errorf("%s: the first version is still in force", file.name)
				}
			}
			for i, file := range files {
				put(t, path(i)+".new", file.first)
				mustSucceed(t, os.Rename(path(i)+".new", path(i)))
			}
			for i, file := range files {
				harness.Eventually(t, "the first version of the "+file.name+" again", func() bool { return letsIn(i, file.one) })
			}
		})
	}
	for _, file := range files {
		if log := s.LogText(); strings.Contains(log, file.first) || strings.Contains(log, strings.TrimSpace(file.second)) {
			t.Errorf("the log repeats the %s", file.name)
		}
	}
}

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
