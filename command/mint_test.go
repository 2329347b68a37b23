package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// mint runs the command and returns the token and its claims.
func mint(t *testing.T, arguments ...string) (string, map[string]any) {
	t.Helper()
	var output bytes.Buffer
	command := mintCommand()
	command.SetOut(&output)
	command.SetArgs(arguments)
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(output.String())
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return token, claims
}

func TestMintAsConfigured(t *testing.T) {
	secret := bytes.Repeat([]byte{0xfb}, 32)
	t.Setenv("DEMO_SECRET", "base64:"+base64.StdEncoding.EncodeToString(secret))
	token, _ := mint(t, "--secret-env", "DEMO_SECRET")
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256, secret)); err != nil {
		t.Error(err)
	}
	command := mintCommand()
	command.SetArgs([]string{"--secret", "too short"})
	if err := command.Execute(); err == nil || !strings.Contains(err.Error(), "9 bytes") {
		t.Error(err)
	}
}

func TestMintWithSecret(t *testing.T) {
	t.Setenv("DEMO_SECRET", "a-secret-for-tests-of-32-bytes-or-more!!")
	token, claims := mint(t, "--secret-env", "DEMO_SECRET", "--issuer", "https://idp.example.com",
		"--audience", "a", "--audience", "b", "--subject", "alice", "--scope", "read write", "--role", "operator",
		"--claim", `realm_access={"roles":["x"]}`, "--claim", "tenant=blue", "--expires", "-5m")
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256, []byte("a-secret-for-tests-of-32-bytes-or-more!!"))); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"iss": `"https://idp.example.com"`, "aud": `["a","b"]`, "sub": `"alice"`, "scope": `"read write"`,
		"roles": `["operator"]`, "realm_access": `{"roles":["x"]}`, "tenant": `"blue"`,
	} {
		if got, err := json.Marshal(claims[name]); err != nil || string(got) != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if expires := time.Unix(int64(claims["exp"].(float64)), 0); time.Since(expires) < 4*time.Minute {
		t.Errorf("expires at %s, want five minutes ago", expires)
	}
}

func TestMintWithKey(t *testing.T) {
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for curve, algorithm := range map[elliptic.Curve]jwa.SignatureAlgorithm{elliptic.P256(): jwa.ES256, elliptic.P384(): jwa.ES384, elliptic.P521(): jwa.ES512} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		named, err := jwk.FromRaw(key)
		if err != nil {
			t.Fatal(err)
		}
		_ = named.Set(jwk.KeyIDKey, "key-1")
		document, err := json.Marshal(named)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		pkcs8PEM := block("PRIVATE KEY", pkcs8, err)
		sec1, err := x509.MarshalECPrivateKey(key)
		parameters := block("EC PARAMETERS", []byte{6, 1, 42}, nil) // OpenSSL writes those of the curve
		for form, content := range map[string]string{
			"PKCS 8": pkcs8PEM, "PKCS 8 behind a byte order mark": "\ufeff" + pkcs8PEM,
			"as OpenSSL writes it": parameters + block("EC PRIVATE KEY", sec1, err), "JWK": string(document),
		} {
			t.Run(algorithm.String()+" "+form, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "key.pem")
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				token, _ := mint(t, "--key", path, "--typ", "at+jwt")
				message, err := jws.Parse([]byte(token))
				if err != nil {
					t.Fatal(err)
				}
				if id := message.Signatures()[0].ProtectedHeaders().KeyID(); (id == "key-1") != (form == "JWK") {
					t.Errorf("kid %q", id)
				}
				if _, err := jws.Verify([]byte(token), jws.WithKey(algorithm, &key.PublicKey)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestMintRefuses(t *testing.T) {
	for name, arguments := range map[string][]string{
		"no key":              {},
		"secret and key":      {"--secret", "x", "--key", "y"},
		"empty environment":   {"--secret-env", "NO_SUCH_VARIABLE_IS_SET"},
		"missing file":        {"--key", "no-such-file"},
		"claim without value": {"--secret", "x", "--claim", "name"},
		"an argument":         {"--secret", "x", "alice"},
	} {
		command := mintCommand()
		command.SilenceErrors, command.SilenceUsage = true, true
		command.SetArgs(arguments)
		if command.Execute() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
