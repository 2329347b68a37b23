//go:build realparts

package realparts

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// registryKey is what npm and pip call a token.
const registryKey = "npm_a-key-of-the-registry-5f0c2e9a77d1"

// TestPrograms has curl, wget and npm at a gate with three schemes.
func TestPrograms(t *testing.T) {
	digest := sha256.Sum256([]byte(registryKey))
	s := harness.Start(t, `{
	auth {
		attempts off
		bearer corp {`+harness.BearerLines+`}
		basic ops {
			user alice `+bcrypted(t, "secret")+`
		}
		api_key packages {
			from authorization Bearer
			key robot sha256:`+hex.EncodeToString(digest[:])+`
		}
	}
}
http://localhost:8080 {
	require_auth corp ops packages
	respond "{\"caller\": \"{http.auth.scheme} {http.auth.user.id}\"}"
}
`)
	home := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(home, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	site, host := s.URL("/"), strings.TrimPrefix(strings.TrimSuffix(s.URL("/"), "/"), "http:")
	netrc := write("netrc", "machine localhost login alice password secret\n")
	token := write("token", "//"+strings.TrimPrefix(host, "//")+"/:_authToken="+registryKey+"\n")
	login := write("login", "//"+strings.TrimPrefix(host, "//")+"/:_auth="+base64.StdEncoding.EncodeToString([]byte("alice:secret"))+"\n")
	wrong := write("wrong", "//"+strings.TrimPrefix(host, "//")+"/:_authToken=npm_another-unknown-key-0000000\n")
	npm := func(config string) []string {
		return []string{"npm", "ping", "--json", "--registry", site, "--userconfig", config, "--cache", filepath.Join(home, "cache"), "--fetch-retries", "0"}
	}
	for name, test := range map[string]struct {
		command []string
		says    string // a part of the output, of a program that ends well
	}{
		"CLI-4: curl with a password":                     {[]string{"curl", "-fsS", "-u", "alice:secret", site}, "ops alice"},
		"CLI-4: curl that chooses from the challenges":    {[]string{"curl", "-fsS", "--anyauth", "-u", "alice:secret", site}, "ops alice"},
		"CLI-4: curl with a file of passwords":            {[]string{"curl", "-fsS", "--netrc-file", netrc, site}, "ops alice"},
		"CLI-4: curl with a token":                        {[]string{"curl", "-fsS", "--oauth2-bearer", harness.Token(t), site}, "corp alice"},
		"CLI-4: curl with a key":                          {[]string{"curl", "-fsS", "--oauth2-bearer", registryKey, site}, "packages robot"},
		"CLI-4: curl with a wrong password":               {[]string{"curl", "-fsS", "-u", "alice:x", site}, ""},
		"CLI-4: wget that chooses from the challenges":    {[]string{"wget", "-qO-", "--user", "alice", "--password", "secret", site}, "ops alice"},
		"CLI-4: wget that sends a password at once":       {[]string{"wget", "-qO-", "--auth-no-challenge", "--user", "alice", "--password", "secret", site}, "ops alice"},
		"CLI-4: wget with a token":                        {[]string{"wget", "-qO-", "--header", "Authorization: Bearer " + harness.Token(t), site}, "corp alice"},
		"CLI-4: wget with a wrong password":               {[]string{"wget", "-qO-", "--user", "alice", "--password", "x", site}, ""},
		"CLI-4: npm with a token of its registry":         {npm(token), "packages robot"},
		"CLI-4: npm with a name and a password in base64": {npm(login), "ops alice"},
		"CLI-4: npm with a wrong token":                   {npm(wrong), ""},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(test.command[0], test.command[1:]...)
			command.Env = append(os.Environ(), "HOME="+home, "no_proxy=localhost", "npm_config_update_notifier=false")
			output, err := command.CombinedOutput()
			if test.says == "" && err == nil || test.says != "" && (err != nil || !strings.Contains(string(output), test.says)) {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}
