package schemes

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// callerFile is a file of keys or of users.
type callerFile struct {
	name, scheme, logger, challenge string

	callers func(name string) string // a file with the caller `last` and another one
	caller  func(name string) harness.Option
	empty   []string          // files that say: no callers
	unclear map[string]string // files that say nothing
}

func callerFiles(t *testing.T) []callerFile {
	secret := hash(t, "secret")
	entry := func(name string) string { return `{"id": "` + name + `", "digest": "` + digest(name) + `"}` }
	return []callerFile{
		{
			name: "keys_file", scheme: "api_key", logger: "auth.schemes.api_key", challenge: keyChallenge,
			callers: func(name string) string { return "[" + entry("last") + "," + entry(name) + "]" },
			caller:  key,
			empty:   []string{"[]", " [\r\n]\n", "\ufeff[]"},
			unclear: map[string]string{
				"an empty file": "", "a line break": "\n", "a byte order mark": "\ufeff", "half a list": "[",
				"null": "null", "an object": "{}", "two lists": "[][]", "an empty key": "[{}]", "a key that is null": "[null]",
			},
		},
		{
			name: "users_file", scheme: "basic", logger: basicLogger, challenge: basicChallenge,
			callers: func(name string) string { return "last:" + secret + "\n" + name + ":" + secret + "\n" },
			caller:  func(name string) harness.Option { return encoded(name + ":secret") },
			empty:   []string{"#\n", "# left: last\r\n\r\n", "#last:" + secret, "\ufeff# none"},
			unclear: map[string]string{
				"an empty file": "", "a line break": "\r\n", "a byte order mark": "\ufeff", "half a line": "last:" + secret[:30],
			},
		},
	}
}

// TestLastCaller withdraws the last key and the last user of a file. A file that names
// no callers because a full disk has cut it changes nothing.
func TestLastCaller(t *testing.T) {
	for _, file := range callerFiles(t) {
		path := filepath.Join(t.TempDir(), "callers")
		write(t, path, file.callers("first"))
		caddyfile := config("attempts off\n"+file.scheme+" {\n"+file.name+" "+path+"\n}", "require_auth\nrespond ok")
		s := harness.Start(t, caddyfile)
		enters := func(name string) bool { return s.Get("/", file.caller(name)).Status == 200 }
		renew := func(name string) {
			write(t, path, file.callers(name))
			harness.Eventually(t, name+" comes in", func() bool { return enters(name) })
		}
		for name, content := range file.unclear {
			t.Run("KEY-5: "+file.name+": "+name+" withdraws no caller and is logged", func(t *testing.T) {
				renew("before " + name)
				before := errorsOf(s, file.logger)
				write(t, path, content)
				harness.Eventually(t, "it is logged", func() bool { return errorsOf(s, file.logger) > before })
				wantOK(t, s.Get("/", file.caller("last")))
				if err := s.TryReload(caddyfile); err == nil {
					t.Error("it was accepted at load")
				}
			})
		}
		for i, content := range file.empty {
			t.Run("KEY-5: "+file.name+": the last caller is withdrawn", func(t *testing.T) {
				renew(fmt.Sprint("before-", i))
				before := errorsOf(s, file.logger)
				write(t, path, content)
				harness.Eventually(t, "the caller is refused", func() bool { return !enters("last") })
				if errorsOf(s, file.logger) != before {
					t.Error("the file is logged as one that cannot be used")
				}
				s.Reload(caddyfile)
				want(t, s.Get("/", file.caller("last")), 401, "invalid_credentials", file.challenge)
				want(t, s.Get("/"), 401, "missing_credentials", file.challenge)
			})
		}
	}
}
