package schemes

import (
	"crypto/elliptic"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// textFile is a file of a configuration.
type textFile struct {
	scheme, content string         // %s is the file
	caller          harness.Option // who is let in by it; nil where only the load tells
}

func textFiles(t *testing.T) map[string]textFile {
	key := ecKey(t, elliptic.P256(), anyKey)
	x, y := coordinates(t, &key.PublicKey)
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	jwk := `{"kty":"EC","crv":"P-256","x":"` + text(x) + `","y":"` + text(y) + `"`
	private := jwk + `,"d":"` + text(secret) + `"}`
	certificate, _ := harness.SaveCertificate(t, harness.Certificate(t, "authority", nil, time.Hour))
	authority, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	expected := "bearer {\nissuer " + harness.Issuer + "\naudience " + harness.Audience + "\n"
	sends := expected + "introspection http://127.0.0.1:9 {\nclient_id gateway\nclient_auth private_key_jwt\nkey_file %s\n}\n}"
	token := harness.Bearer(harness.Sign(t, jwa.ES256, key, nil))
	return map[string]textFile{
		"users_file":                     {"basic {\nusers_file %s\n}", "alice:" + hash(t, "secret") + "\r\n", encoded("alice:secret")},
		"keys_file":                      {"api_key {\nkeys_file %s\n}", `[{"id": "a", "digest": "` + digest("key-of-a") + `"}]`, harness.Header("X-API-Key", "key-of-a")},
		"key_file, PEM":                  {expected + "key_file %s\n}", publicPEM(t, &key.PublicKey), token},
		"key_file, JWK":                  {expected + "key_file %s\n}", jwk + "}", token},
		"jwks":                           {expected + "jwks %s\n}", `{"keys": [` + jwk + "}]}", token},
		"key_file of introspection, PEM": {sends, openSSL(t, key), nil},
		"key_file of introspection, JWK": {sends, private, nil},
		"trust_pool":                     {"client_cert {\ntrust_pool %s\n}", string(authority), nil},
		"ca_file of Redis":               {"api_key {\nkey a " + digest("key-of-a") + "\n}\nstore redis rediss://127.0.0.1:9 {\nca_file %s\n}", string(authority), nil},
	}
}

// TestByteOrderMark has files as Windows editors write them. A byte order mark at the
// beginning is ignored, and text that is not UTF-8 is refused with its line.
func TestByteOrderMark(t *testing.T) {
	for name, file := range textFiles(t) {
		path := filepath.Join(t.TempDir(), "file")
		caddyfile := config(strings.ReplaceAll(file.scheme, "%s", path), "require_auth\nrespond ok")
		t.Run("KEY-5 R7617-5: "+name+": a byte order mark does not matter", func(t *testing.T) {
			write(t, path, "\ufeff"+file.content)
			s := harness.Start(t, caddyfile)
			if file.caller != nil {
				wantOK(t, s.Get("/", file.caller))
			}
		})
		t.Run("KEY-5 R7617-5: "+name+": UTF-16 is refused", func(t *testing.T) {
			wide := []byte{0xff, 0xfe}
			for _, unit := range utf16.Encode([]rune(file.content)) {
				wide = append(wide, byte(unit), byte(unit>>8))
			}
			write(t, path, string(wide))
			s := harness.Start(t, "http://localhost:8080 {\nrespond ok\n}")
			err := s.TryReload(caddyfile)
			if err == nil || !strings.Contains(err.Error(), path+": line 1: UTF-16") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestNamesThatNoClientSends has lines of a file of users that would never let
// in: they are refused, so that the operator learns of it.
func TestNamesThatNoClientSends(t *testing.T) {
	good := ":" + hash(t, "secret") + "\n"
	for name, test := range map[string]struct{ content, says string }{
		"files put together, each with a mark": {"\ufeffalice" + good + "\ufeffbob" + good, "line 2: the user name holds a byte order mark"},
		"two marks":                            {"\ufeff\ufeffalice" + good, "line 1: the user name holds a byte order mark"},
		"a mark within a name":                 {"al\ufeffice" + good, "line 1: the user name holds a byte order mark"},
		"a mark before a comment":              {"alice" + good + "\ufeff# bob", "line 2: not of the form name:hash"},
		"a name in Latin-1":                    {"alice" + good + "jos\xe9" + good, "line 2: the user name is not UTF-8"},
	} {
		t.Run("R7617-5: "+name+" is refused", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "htpasswd")
			write(t, path, test.content)
			s := harness.Start(t, "http://localhost:8080 {\nrespond ok\n}")
			err := s.TryReload(config("basic {\nusers_file "+path+"\n}", "require_auth\nrespond ok"))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want %q", err, test.says)
			}
			noneIn(t, "the error", err.Error(), "alice", "bob", good[1:20])
		})
	}
}
