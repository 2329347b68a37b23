package redis

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/redis/go-redis/v9"
)

// readSettings reads a Caddyfile and makes settings of it.
func readSettings(t *testing.T, lines string) (settings, error) {
	t.Helper()
	var store Redis
	if err := store.UnmarshalCaddyfile(caddyfile.NewTestDispenser("redis " + lines)); err != nil {
		return settings{}, err
	}
	return store.settings(caddy.NewReplacer())
}

func TestSettings(t *testing.T) {
	t.Setenv("TEST_REDIS_URL", "rediss://caddy:geheim@redis.internal:6380/2")
	t.Setenv("TEST_REDIS_PASSWORD", "geheim")
	for lines, want := range map[string]string{
		"127.0.0.1":                       "[127.0.0.1:6379] 0 :  - - false 250ms caddy-auth",
		"redis://127.0.0.1:6380/1":        "[127.0.0.1:6380] 1 :  - - false 250ms caddy-auth",
		"redis://[::1]/":                  "[[::1]:6379] 0 :  - - false 250ms caddy-auth",
		"unix:///run/redis.sock":          "[/run/redis.sock] 0 :  - - false 250ms caddy-auth",
		"redis://caddy:geheim@redis":      "[redis:6379] 0 caddy:geheim  - - false 250ms caddy-auth",
		"{env.TEST_REDIS_URL}":            "[redis.internal:6380] 2 caddy:geheim  - - true 250ms caddy-auth",
		"a b {\n cluster\n prefix x:y\n}": "[a:6379 b:6379] 0 : cluster - - false 250ms x:y",
		"a {\n timeout 1s\n}":             "[a:6379] 0 :  - - false 1s caddy-auth",
		"a {\n user caddy\n password {env.TEST_REDIS_PASSWORD}\n}":                                      "[a:6379] 0 caddy:geheim  - - false 250ms caddy-auth",
		"redis://a/3 redis://b {\n sentinel main {\n user s\n password {env.TEST_REDIS_PASSWORD}\n}\n}": "[a:26379 b:26379] 3 :  main s:geheim false 250ms caddy-auth",
	} {
		t.Run(lines, func(t *testing.T) {
			s, err := readSettings(t, lines)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(s); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func describe(s settings) string {
	o, cluster, sentinel := s.options, "", "- -"
	if o.IsClusterMode {
		cluster = "cluster"
	}
	if o.MasterName != "" {
		sentinel = o.MasterName + " " + o.SentinelUsername + ":" + o.SentinelPassword
	}
	return fmt.Sprintf("%v %d %s:%s %s %s %t %s %s", o.Addrs, o.DB, o.Username, o.Password, cluster, sentinel, o.TLSConfig != nil, s.timeout, s.prefix)
}

// TestRefused has configurations that are refused, without a word of the
// secrets in them.
func TestRefused(t *testing.T) {
	t.Setenv("TEST_REDIS_URL", "redis://caddy:geheim@redis:port/0")
	for lines, says := range map[string]string{
		"":                                    "no address of Redis",
		"\"\"":                                "an address is empty",
		"http://redis":                        "invalid address: write redis://",
		"redis://":                            "invalid address: write redis://",
		"redis://:6379":                       "invalid address: write redis://",
		"redis://redis:0":                     "invalid address: write redis://",
		"redis://redis:99999":                 "invalid address: write redis://",
		"redis://redis/0?timeout":             "invalid address: write redis://",
		"redis://redis/0#0":                   "invalid address: write redis://",
		"redis://redis/geheim":                "invalid database",
		"redis://redis/-1":                    "invalid database",
		"unix://run/redis.sock":               "invalid address: write redis://",
		"unix:///":                            "invalid address: write redis://",
		"redis://caddy:geheim@redis:port/0":   "invalid address: write redis://",
		"redis://caddy:geheim%@redis":         "invalid address: write redis://",
		"caddy:geheim@redis:x":                "invalid address: write redis://",
		"geheim://redis":                      "invalid address: write redis://",
		"{env.TEST_REDIS_URL}":                "invalid address: write redis://",
		"{env.NOT_THERE}":                     "a placeholder without a value",
		"redis://caddy@redis":                 "a user without a password",
		"a b":                                 "several addresses need",
		"a {\n cluster\n sentinel m\n}":       "keep one",
		"redis://a/1 {\n cluster\n}":          "no databases",
		"redis://a rediss://b {\n cluster\n}": "differ in more than",
		"redis://a/1 redis://b/2 {\n sentinel m\n}":           "differ in more than",
		"redis://u:geheim@a {\n password geheim\n}":           "keep one",
		"a {\n password {env.NOT_THERE}\n}":                   "password has a placeholder without a value",
		"a {\n password {vault.redis}\n}":                     "password is a placeholder without a value",
		"a {\n sentinel m {\n password x{vault.redis}\n}\n}":  "sentinel password has a placeholder without a value",
		"a {\n password geheim geheim\n}":                     "exactly one value",
		"a {\n timeout 0s\n}":                                 "timeout 0",
		"a {\n timeout 1m\n}":                                 "at most 10s",
		"a {\n prefix {x}\n}":                                 "prefix",
		"a {\n ca_file ca.pem\n}":                             "rediss://",
		"a {\n client_cert one\n}":                            "client_cert <certificate file> <key file>",
		"a {\n sentinel\n}":                                   "sentinel <name of the master>",
		"a {\n sentinel m\n sentinel m\n}":                    "duplicate sentinel",
		"a {\n client_cert a b\n client_cert a b\n}":          "duplicate client_cert",
		"a {\n timeout 1s\n timeout 1s\n}":                    "duplicate timeout",
		"a {\n retries 3\n}":                                  "unrecognized subdirective",
		"rediss://a {\n ca_file testdata/none.pem\n}":         "no such file",
		"rediss://a {\n ca_file settings_test.go\n}":          "no PEM certificate",
		"rediss://a {\n client_cert redis.go redis.go\n}":     "client_cert redis.go",
		"a {\n sentinel m {\n password geheim geheim\n}\n}":   "exactly one value",
		"redis://u:geheim@a redis://v:geheim@b {\ncluster\n}": "differ in more than",
	} {
		t.Run(lines, func(t *testing.T) {
			_, err := readSettings(t, lines)
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Fatalf("%v\nwant %s", err, says)
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error has a secret: %v", err)
			}
		})
	}
}

func TestDigestTellsConfigurationsApart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, "../../integration_test/configuration/testdata/files/ca.pem", file)
	seen := make(map[string]string)
	for _, lines := range []string{
		"a", "b", "a/1", "a b {\n cluster\n}", "a {\n cluster\n}", "rediss://a", "a {\n timeout 1s\n}", "a {\n prefix p\n}",
		"u:p@a", "u:q@a", "v:p@a", "a {\n sentinel m\n}", "a {\n sentinel n\n}", "a {\n sentinel m {\n password p\n}\n}",
		"rediss://a {\n server_name x\n}", "rediss://a {\n ca_file " + file + "\n}",
	} {
		s, err := readSettings(t, lines)
		if err != nil {
			t.Fatalf("%s: %v", lines, err)
		}
		if other, twice := seen[s.digest]; twice {
			t.Errorf("%q and %q are one", lines, other)
		}
		seen[s.digest] = lines
	}
	again, err := readSettings(t, "u:p@a")
	if err != nil || seen[again.digest] != "u:p@a" {
		t.Error("the same configuration is another one", err)
	}
	copyFile(t, "../../integration_test/configuration/testdata/files/ca.pem", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, err := readSettings(t, "rediss://a {\n ca_file "+file+"\n}")
	if _, same := seen[changed.digest]; same || err != nil {
		t.Error("another file is the same", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAuthoritiesBehindByteOrderMark(t *testing.T) {
	pem, err := os.ReadFile("../../integration_test/configuration/testdata/files/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	const byteOrderMark = "\ufeff"
	for content, says := range map[string]string{
		byteOrderMark + string(pem):               "",
		string(pem) + byteOrderMark + string(pem): "2 certificates begin in it, but only 1",
	} {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSettings(t, "rediss://a {\n ca_file "+file+"\n}"); (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want %q", err, says)
		}
	}
}

func TestRedacted(t *testing.T) {
	secrets := []string{"", "geheim"}
	for from, want := range map[error]string{
		reply("ERR unknown command 'AUTH', with args beginning with: 'caddy' 'geheim' "): `"ERR unknown command 'AUTH'"`,
		reply("WRONGPASS geheim is wrong"):                                               `"WRONGPASS … is wrong"`,
		fmt.Errorf("dial: %w", os.ErrDeadlineExceeded):                                   "dial: i/o timeout",
	} {
		if got := redact(from, secrets).Error(); !strings.Contains(got, want) || strings.Contains(got, "geheim") {
			t.Errorf("%v\n got %s\nwant %s", from, got, want)
		}
	}
	if redact(nil, secrets) != nil {
		t.Error("no error is one")
	}
	if got := redact(redis.Nil, secrets); !errors.Is(got, redis.Nil) {
		t.Error(got)
	}
}

// reply is an error that Redis answers.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestOlder(t *testing.T) {
	for _, each := range []struct {
		one, other string
		want       bool
	}{
		{"0-0", "1-0", true}, {"1-0", "0-0", false}, {"1-1", "1-2", true}, {"1-2", "1-1", false},
		{"9-0", "10-0", true}, {"10-0", "9-0", false}, {"1-9", "1-10", true}, {"5-5", "5-5", false},
	} {
		if got := older(each.one, each.other); got != each.want {
			t.Errorf("%s is older than %s: %t", each.one, each.other, got)
		}
	}
}
