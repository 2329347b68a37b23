package configuration

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	// blamed marks the line of a refused Caddyfile to which the error must
	// point, so that -update cannot put up with another.
	blamed = "# here"
	// secret is in everything that no error may repeat.
	secret = "s3cret"
)

// position is the first place that an error names. Caddy adds the end of the
// block around it.
var position = regexp.MustCompile(`Caddyfile:(\d+)`)

// TestRefused has Caddyfiles that are refused, and the whole error.
func TestRefused(t *testing.T) {
	for _, c := range readCases(t, "refused") {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(c.caddyfile, blamed) != 1 {
				t.Fatalf("mark one line with %q", blamed)
			}
			before, _, _ := strings.Cut(c.caddyfile, blamed)
			line := strings.Count(before, "\n") + 1
			config, err := harness.Adapt(c.caddyfile)
			if err == nil {
				t.Fatalf("it was accepted:\n%s", config)
			}
			got := err.Error()
			if where := position.FindStringSubmatch(got); where == nil || where[1] != strconv.Itoa(line) {
				t.Errorf("the error does not point to line %d: %s", line, got)
			}
			if strings.Contains(got, secret) {
				t.Errorf("the error repeats a secret: %s", got)
			}
			c.compare(t, got)
		})
	}
}

// TestRefusedAtLoad has Caddyfiles in which only loading shows what is wrong: files,
// the environment, expressions. The former configuration stays in force.
func TestRefusedAtLoad(t *testing.T) {
	t.Setenv("SHORT_FOR_TESTS", "s3cret-short")
	t.Setenv("PLAIN_FOR_TESTS", "s3cret-in-the-clear")
	t.Setenv("PLACEHOLDER_FOR_TESTS", "{secrets.jwt_production_signing_key}")
	_ = os.Unsetenv("UNSET_FOR_TESTS")
	marked := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(marked, []byte("\ufeff"+strings.Repeat("s3cret-", 8)+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const (
		audience = "audience https://api.example.com\n"
		file     = "key_file testdata/files/idp.pem\n"
		bcrypt   = "$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy"
	)
	s := harness.Start(t, gateWith("client_cert", "", "before"))
	for name, test := range map[string]struct{ scheme, gate, says string }{
		"a key file that is not there":                 {"bearer {\n" + audience + "key_file testdata/files/missing.pem\n}", "", "missing.pem"},
		"a key file without a key":                     {"bearer {\n" + audience + "key_file testdata/files/users.htpasswd\n}", "", "users.htpasswd"},
		"a key set that is not there":                  {"bearer {\n" + audience + "jwks testdata/files/missing.json\n}", "", "missing.json"},
		"a file of users that is not there":            {"basic {\nusers_file testdata/files/missing\n}", "", "missing"},
		"a file of users of another kind":              {"basic {\nusers_file testdata/files/jwks.json\n}", "", "line 1"},
		"a file of keys that is not there":             {"api_key {\nkeys_file testdata/files/missing\n}", "", "missing"},
		"a file of keys of another kind":               {"api_key {\nkeys_file testdata/files/jwks.json\n}", "", "JSON array of keys"},
		"a pool of roots that is not there":            {"client_cert {\ntrust_pool testdata/files/missing.pem\n}", "", "missing.pem"},
		"a pool of roots without a certificate":        {"client_cert {\ntrust_pool testdata/files/idp.pem\n}", "", "only certificates"},
		"a user of a file who is declared too":         {"basic {\nuser bob " + bcrypt + "\nusers_file testdata/files/users.htpasswd\n}", "", `"bob"`},
		"a key id written twice":                       {"api_key {\nkey a sha256:" + strings.Repeat("a", 64) + "\nkey a sha256:" + strings.Repeat("b", 64) + "\n}", "", "duplicate id or digest"},
		"one digest under two ids":                     {"api_key {\nkey a sha256:" + strings.Repeat("a", 64) + "\nkey b sha256:" + strings.Repeat("A", 64) + "\n}", "", "duplicate id or digest"},
		"a short HMAC secret from the environment":     {"bearer {\n" + audience + "hmac_secret {env.SHORT_FOR_TESTS}\n}", "", "12 bytes, 32 are needed"},
		"a short HMAC secret with a brace in it":       {"bearer {\n" + audience + "hmac_secret s3cret{short}\n}", "", "32"},
		"CFG-9: a secret with an unknown placeholder":  {"bearer {\n" + audience + "hmac_secret s3cret-s3cret-s3cret-s3cret{vault.kv}\n}", "", "hmac_secret has a placeholder"},
		"CFG-9: a secret in a file that is missing":    {"bearer {\n" + audience + "hmac_secret {file.testdata/files/missing}\n}", "", "hmac_secret has a placeholder"},
		"CFG-9: a secret whose value is a placeholder": {"bearer {\n" + audience + "hmac_secret {env.PLACEHOLDER_FOR_TESTS}\n}", "", "still a placeholder"},
		"CFG-9: a client secret of a request":          {"bearer {\n" + audience + "introspection https://idp.example.com/i {\nclient_id a\nclient_secret s3cret-{http.request.host}\n}\n}", "", "client_secret has a placeholder"},
		"CFG-9: a secret behind a byte order mark":     {"bearer {\n" + audience + "hmac_secret {file." + marked + "}\n}", "", "hmac_secret holds a byte order mark"},
		"CFG-9: a part of it behind a byte order mark": {"store redis redis://:{file." + marked + "}@127.0.0.1:9\nclient_cert", "", "address holds a byte order mark"},
		"CFG-9: an audience with a typing error":       {"bearer {\naudience {env:AUDIENCE}\n" + file + "}", "", "audience has a placeholder"},
		"an HMAC secret that the environment lacks":    {"bearer {\n" + audience + "hmac_secret {env.UNSET_FOR_TESTS}\n}", "", "hmac_secret has a placeholder without a value"},
		"an audience that the environment lacks":       {"bearer {\naudience {env.UNSET_FOR_TESTS}\n" + file + "}", "", "audience has a placeholder without a value"},
		"an issuer that the environment lacks":         {"bearer {\nissuer {env.UNSET_FOR_TESTS}\n" + audience + file + "}", "", "issuer"},
		"a key file that the environment lacks":        {"bearer {\n" + audience + "key_file {env.UNSET_FOR_TESTS}\n}", "", ""},
		"a password in the clear by the environment":   {"basic {\nuser alice {env.PLAIN_FOR_TESTS}\n}", "", "caddy hash-password"},
		"a password in the clear with a brace in it":   {"basic {\nuser alice s3cret{horse}\n}", "", "caddy hash-password"},
		"an API key in the clear by the environment":   {"api_key {\nkey a {env.PLAIN_FOR_TESTS}\n}", "", "not the key itself"},
		"an API key in the clear with a brace in it":   {"api_key {\nkey a s3cret{key}\n}", "", "not the key itself"},
		"a condition that cannot be parsed":            {"client_cert", "if `user ==`", "if"},
		"a condition that is no truth value":           {"client_cert", "if `\"alice\"`", "if"},
		"a condition on something that is not there":   {"client_cert", "if `nobody == \"alice\"`", "nobody"},
		"a secret that is a document of public keys":   {"bearer {\n" + audience + "hmac_secret {file.testdata/files/jwks.json}\n}", "", "not an HMAC secret"},
		"MCP-7: a token in the query of an MCP server": {"bearer {\n" + audience + file + "token_from query access_token\n}", "mcp", "MCP forbids tokens in the query"},
		"a secret that is a public key in PEM format":  {"bearer {\n" + audience + "hmac_secret {file.testdata/files/idp.pem}\n}", "", "not an HMAC secret"},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.TryReload(gateWith(test.scheme, test.gate, "after"))
			if err == nil {
				s.Reload(gateWith("client_cert", "", "before"))
				t.Fatal("it was loaded")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q is not in: %v", test.says, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats a secret: %v", err)
			}
			if r := s.Get("/open"); r.Status != 200 || r.Body != "before" {
				t.Errorf("what ran before answers %d %q", r.Status, r.Body)
			}
			if r := s.Get("/guarded"); r.Status != 401 {
				t.Errorf("what ran before lets a stranger pass: %d", r.Status)
			}
		})
	}
}

// gateWith is a site with one scheme and a gate.
func gateWith(scheme, gate, body string) string {
	return "{\nauto_https off\nauth {\n" + scheme + "\n}\n}\nhttp://localhost:8080 {\nrequire_auth /guarded {\n" + gate + "\n}\nrespond " + body + "\n}\n"
}

// TestReloadRefused has the example running, and changes of it that are not let
// in.
func TestReloadRefused(t *testing.T) {
	good := harness.ReadFile(t, "../../Caddyfile.example")
	s := harness.Start(t, good)
	for name, change := range map[string][2]string{
		"an unknown scheme":       {"require_auth /me corp", "require_auth /me crop"},
		"no audience":             {"audience https://api.example.com", ""},
		"an unknown line":         {"hide", "hidden"},
		"a weak hash":             {"$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy", "$apr1$x$HDjQ6kYhVYyzJCHMZP.1g0"},
		"a short secret":          {"demonstration-only-secret-of-32-bytes-or-more", "short"},
		"any origin":              {"auth_cors https://web.example", "auth_cors *"},
		"an error at load":        {"basic ops {", "basic ops {\nusers_file testdata/files/missing"},
		"an error of another app": {"handle {\n\t\terror 404", "handle {\n\t\treverse_proxy {\n\t\t\ttransport nothing\n\t\t}"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, change[0], change[1], 1)
			if bad == good {
				t.Fatalf("%q is not in the example", change[0])
			}
			if err := s.TryReload(bad); err == nil {
				t.Error("it was loaded")
				s.Reload(good)
			}
			s.Get("/me").Want(401, "missing_credentials", `Bearer realm="api"`)
			if r := s.Get("/data", harness.Header("X-API-Key", "demo-key-4f1c2a9be8d7")); r.Status != 200 {
				t.Errorf("a good key gets %d", r.Status)
			}
		})
	}
}
