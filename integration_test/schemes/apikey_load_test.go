package schemes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestKeyBadConfiguration(t *testing.T) {
	good := digest("key-of-a")
	for name, block := range map[string]string{
		"KEY-5: a key in the clear":                 "key partner-a key-of-a",
		"KEY-5: a key in the clear behind sha256:":  "key partner-a sha256:key-of-a",
		"KEY-5: a digest that is too short":         "key partner-a " + good[:69],
		"KEY-5: a digest that is too long":          "key partner-a " + good + "00",
		"KEY-5: a digest without its name":          "key partner-a " + good[7:],
		"KEY-5: a digest of MD5":                    "key partner-a md5:" + good[7:39],
		"KEY-5: a digest with an odd letter":        "key partner-a " + good[:70] + "g",
		"KEY-5: an expiry that is not a time":       "key partner-a " + good + " {\nexpires tomorrow\n}",
		"KEY-5: an unknown line":                    "key partner-a " + good + " {\nexpire 2099-01-01T00:00:00Z\n}",
		"KEY-5: a scheme without keys":              "from header X-API-Key",
		"KEY-5: the Authorization field":            "from header Authorization\nkey partner-a " + good,
		"KEY-5: the Authorization field in lower":   "from header authorization\nkey partner-a " + good,
		"KEY-5: a form":                             "from form key\nkey partner-a " + good,
		"KEY-5: a place there is not":               "from body key\nkey partner-a " + good,
		"KEY-5: a place without a name":             "from header\nkey partner-a " + good,
		"KEY-5: a field name that is none":          "from header \"X API Key\"\nkey partner-a " + good,
		"KEY-5: a cookie name that is none":         "from cookie a=b\nkey partner-a " + good,
		"R9110-9: a realm with a control character": "realm \"a\tb\"\nkey partner-a " + good,
	} {
		t.Run(name+" is refused with file and line", func(t *testing.T) {
			text := config("api_key partners {\n"+block+"\n}", "require_auth\nrespond hello")
			_, err := harness.Adapt(text)
			if err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Fatalf("error %v", err)
			}
			noneIn(t, "the error", err.Error(), "key-of-a", good[:69], good[7:39])
		})
	}
	t.Run("KEY-5: the error stands at the line that is to blame", func(t *testing.T) {
		text := config("api_key partners {\n from header X-API-Key\n key partner-a "+good+"\n key partner-b in-the-clear\n}", "require_auth")
		_, err := harness.Adapt(text)
		if err == nil || !strings.Contains(err.Error(), lineOf(text, "key partner-b")) {
			t.Errorf("error %v", err)
		}
	})
	s := harness.Start(t, config("api_key {\n key partner-a "+good+"\n}", "require_auth\nrespond hello"))
	for name, block := range map[string]string{
		"an id twice":     "key partner-a " + good + "\nkey partner-a " + digest("other"),
		"a digest twice":  "key partner-a " + good + "\nkey partner-b " + good,
		"an unset digest": "key partner-a {env.THERE_IS_NO_SUCH_VARIABLE}",
	} {
		t.Run("KEY-5: "+name+" is refused", func(t *testing.T) {
			if err := s.TryReload(config("api_key {\n"+block+"\n}", "require_auth")); err == nil {
				t.Error("it was accepted")
			}
		})
	}
	t.Run("KEY-5: a key in the clear from the environment is refused and not repeated", func(t *testing.T) {
		t.Setenv("PARTNER_KEY", "key-of-a")
		err := s.TryReload(config("api_key {\n key partner-a {env.PARTNER_KEY}\n}", "require_auth"))
		if err == nil {
			t.Fatal("it was accepted")
		}
		noneIn(t, "the error", err.Error(), "key-of-a")
	})
}

func TestKeyFromEnvironment(t *testing.T) {
	t.Setenv("PARTNER_KEY", digest("key-of-e"))
	s := harness.Start(t, config("api_key {\n key partner-e {env.PARTNER_KEY}\n}", "require_auth\nrespond hello"))
	t.Run("KEY-5: a digest from the environment is used", func(t *testing.T) {
		wantOK(t, s.Get("/", key("key-of-e")))
		want(t, s.Get("/", key(digest("key-of-e"))), 401, "invalid_credentials", keyChallenge)
	})
}

func TestKeysFile(t *testing.T) {
	const logger = "auth.schemes.api_key"
	path := filepath.Join(t.TempDir(), "api-keys.json")
	entry := func(id, key string) string { return `{"id": "` + id + `", "digest": "` + digest(key) + `"}` }
	write(t, path, `[{"id": "partner-a", "digest": "`+digest("key-of-a")+`", "scopes": ["read"], "roles": ["partner"], "expires": "2999-01-01T00:00:00Z"}]`)
	s := harness.Start(t, config("attempts off\napi_key {\n key fixed "+digest("fixed-key")+"\n keys_file "+path+"\n}",
		"require_auth {\n optional\n}\nrespond \"{http.auth.user.id} {http.auth.user.scope}\""))
	comes := func(name string) {
		t.Helper()
		harness.Eventually(t, name+" comes in", func() bool { return s.Get("/", key(name)).Status == 200 })
	}
	t.Run("KEY-5: the keys of the file and those of the configuration let in", func(t *testing.T) {
		if got := s.Get("/", key("key-of-a")).Want(200, "").Body; got != "partner-a read" {
			t.Errorf("body %q", got)
		}
		wantOK(t, s.Get("/", key("fixed-key")))
	})
	t.Run("KEY-5: a changed file is followed and a revoked key refused", func(t *testing.T) {
		write(t, path, "["+entry("partner-b", "key-of-b")+"]")
		comes("key-of-b")
		want(t, s.Get("/", key("key-of-a")), 401, "invalid_credentials", keyChallenge)
		wantOK(t, s.Get("/", key("fixed-key")))
	})
	t.Run("KEY-5: a replaced file is followed", func(t *testing.T) {
		write(t, path+".new", "["+entry("partner-c", "key-of-c")+"]")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		comes("key-of-c")
	})
	for name, content := range map[string]string{
		"an empty file":                "",
		"half a file":                  "[" + entry("partner-d", "key-of-d"),
		"text after the keys":          "[" + entry("partner-d", "key-of-d") + "] []",
		"a stray bracket":              "[" + entry("partner-d", "key-of-d") + "]]",
		"an unknown member":            `[{"id": "partner-d", "digest": "` + digest("key-of-d") + `", "scope": ["read"]}]`,
		"a key in the clear":           `[{"id": "partner-d", "digest": "key-of-d"}]`,
		"a member key in the clear":    `[{"id": "partner-d", "key": "key-of-d"}]`,
		"a bare key":                   `["key-of-d"]`,
		"a key without an id":          `[{"digest": "` + digest("key-of-d") + `"}]`,
		"an id twice":                  "[" + entry("partner-d", "key-of-d") + "," + entry("partner-d", "key-of-e") + "]",
		"an id of the configuration":   "[" + entry("fixed", "key-of-d") + "]",
		"a placeholder":                `[{"id": "partner-d", "digest": "{env.HOME}"}]`,
		"an expiry that is not a time": `[{"id": "partner-d", "digest": "` + digest("key-of-d") + `", "expires": "soon"}]`,
		"an object in place of a list": entry("partner-d", "key-of-d"),
	} {
		t.Run("KEY-5: "+name+" is logged and the last good version stays", func(t *testing.T) {
			write(t, path, "["+entry("partner-c", "before "+name)+"]")
			comes("before " + name)
			before := errorsOf(s, logger)
			write(t, path, content)
			harness.Eventually(t, "it is logged", func() bool { return errorsOf(s, logger) > before })
			wantOK(t, s.Get("/", key("before "+name)))
			want(t, s.Get("/", key("key-of-d")), 401, "invalid_credentials", keyChallenge)
		})
	}
	t.Run("LEAK-5: the log holds neither keys nor digests", func(t *testing.T) {
		noneIn(t, "the log", s.LogText(), "key-of-d", digest("key-of-c"), digest("key-of-d"), digest("fixed-key"))
	})
}
