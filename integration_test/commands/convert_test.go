package commands

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// convert runs `caddy auth convert` on a Caddyfile.
func convert(t *testing.T, caddyfile string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("caddy", "auth", "convert", "--config", file).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	return string(output)
}

// quickHash is bcrypt with a decoy that is as quick as the hashes of the tests. The
// decoy of Caddy takes a second.
type quickHash struct{ caddyauth.BcryptHash }

func init() { caddy.RegisterModule(quickHash{}) }

func (quickHash) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.hashes.quick", New: func() caddy.Module { return new(quickHash) }}
}

func (quickHash) FakeHash() []byte { return []byte(hashOfSecret) }

const hashOfSecret = "$2a$04$pbvbYQb8b6dLCi2fDzTfmuMjqF9X/IRLrcbaeGmfhstt4OoOw00km"

// TestConvertedIsAsOpen asks original and converted sites the same.
func TestConvertedIsAsOpen(t *testing.T) {
	sites := map[string]string{
		"basic_auth": "basic_auth {\nalice $HASH\n}\nrespond in",
		"basic_auth with a path, an algorithm and a realm": "basic_auth /in/* bcrypt \"the realm\" {\nalice $HASH\n}\nrespond in",
		"basicauth with the base64 of early versions":      "basicauth @in {\nalice $BASE64\n}\n@in path /in /in/*\nrespond in",
		"basic_auth in a snippet":                          "import guard\nrespond in",
		"two basic_auth":                                   "basic_auth /in/a* {\nalice $HASH\n}\nbasic_auth /in/b* {\nbob $HASH\n}\nrespond in",
		"a matcher that denies":                            "@denied not header Authorization \"Bearer key-of-a\"\nrespond @denied 401\nrespond in",
		"a matcher with a path that denies":                "@denied {\npath /in*\nnot header X-Api-Key key-of-a\n}\nerror @denied 403\nrespond in",
		"a matcher of a password":                          "@denied not header Authorization \"Basic YWxpY2U6c2VjcmV0\"\nrespond @denied 401\nrespond in",
		"a handle of a credential":                         "@ok header Authorization \"Bearer key-of-a\"\nhandle @ok {\nrespond in\n}\nhandle /public {\nrespond public\n}\nhandle {\nrespond 403\n}",
		"a route of a credential":                          "route {\n@ok header X-Api-Key key-of-a\nhandle @ok {\nrespond in\n}\nrespond no 401\n}",
	}
	names := slices.Sorted(maps.Keys(sites))
	text := "{\nauth {\nattempts off\n}\n}\n(guard) {\nbasic_auth /in* {\nalice $HASH\n}\n}\n"
	for i, name := range names {
		text += fmt.Sprintf("http://site%d.localhost:8080 {\n%s\n}\n", i, sites[name])
	}
	original := strings.NewReplacer("$HASH", hashOfSecret, "$BASE64", base64.StdEncoding.EncodeToString([]byte(hashOfSecret))).Replace(text)
	result := convert(t, original)
	if strings.Contains(result, "basic") != strings.Contains(result, "basic {") || strings.Contains(result, "key-of-a") || strings.Count(result, "require_auth") != len(sites)+1 {
		t.Errorf("a part is not converted:\n%s", result)
	}
	adapted, err := harness.Adapt(original)
	if err != nil || !strings.Contains(string(adapted), `"algorithm":"bcrypt"`) {
		t.Fatalf("%v\n%s", err, adapted)
	}
	s := harness.StartJSON(t, strings.ReplaceAll(string(adapted), `"algorithm":"bcrypt"`, `"algorithm":"quick"`))
	before := passes(s, len(names))
	s.Reload(regexp.MustCompile(`\$2a\$14\$\S+`).ReplaceAllLiteralString(result, hashOfSecret)) // one that takes less time
	after := passes(s, len(names))
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			for request, passed := range before[i] {
				if after[i][request] != passed {
					t.Errorf("%s passes: %t before, %t after", request, passed, after[i][request])
				}
			}
		})
	}
}

// passes says which requests each site answers with 200.
func passes(s *harness.Server, sites int) []map[string]bool {
	all := make([]map[string]bool, sites)
	for i := range all {
		all[i] = make(map[string]bool)
		for name, credential := range map[string]harness.Option{
			"anonymous": harness.Header("X", "y"), "alice": harness.Basic("alice", "secret"), "bob": harness.Basic("bob", "secret"),
			"a wrong password": harness.Basic("alice", "x"), "a token": harness.Bearer("key-of-a"), "a wrong token": harness.Bearer("key-of-b"),
			"a key": harness.Header("X-Api-Key", "key-of-a"), "a wrong key": harness.Header("X-Api-Key", "key-of-b"),
			"a key without a scheme": harness.Header("Authorization", "key-of-a"), "another scheme": harness.Header("Authorization", "Token key-of-a"),
		} {
			for _, path := range []string{"/in", "/in/a", "/in/b", "/out", "/public"} {
				host := harness.Host(fmt.Sprintf("site%d.localhost", i))
				all[i][name+" at "+path] = s.Get(path, credential, host).Status == 200
			}
		}
	}
	return all
}

// TestConvertedTokens has the examples of the READMEs of caddy-jwt, which is no part
// of this program, and requests that they let pass.
func TestConvertedTokens(t *testing.T) {
	s := harness.Start(t, convert(t, `{
	order jwtauth before basicauth
}
http://localhost:8080 {
	route * {
		jwtauth {
			sign_key `+base64.StdEncoding.EncodeToString([]byte(harness.Secret))+`
			from_query access_token token
			from_header X-Api-Token
			from_cookies user_session
			issuer_whitelist https://api.example.com https://other.example.com
			audience_whitelist https://api.example.io https://learn.example.com
			user_claims aud uid user_id username login
			meta_claims "IsAdmin->is_admin" "settings.payout.paypal.enabled->is_paypal_enabled"
		}
		respond "{http.auth.user.id} {http.auth.user.is_admin} {http.auth.user.is_paypal_enabled}"
	}
}
`))
	claims := func(more harness.Claims) harness.Claims {
		all := harness.Claims{
			"iss": "https://other.example.com", "aud": "https://learn.example.com", "uid": 3406327963516932, "IsAdmin": true,
			"settings": map[string]any{"payout": map[string]any{"paypal": map[string]any{"enabled": false}}},
		}
		maps.Copy(all, more)
		return all
	}
	good := harness.Token(t, claims(nil))
	for name, test := range map[string]struct {
		path   string
		option harness.Option
		status int
	}{
		"Authorization":      {"/", harness.Bearer(good), 200},
		"the field":          {"/", harness.Header("X-Api-Token", good), 200},
		"the first query":    {"/?access_token=" + good, harness.Header("X", "y"), 200},
		"the second query":   {"/?token=" + good, harness.Header("X", "y"), 200},
		"the cookie":         {"/", harness.Header("Cookie", "user_session="+good), 200},
		"a foreign issuer":   {"/", harness.Bearer(harness.Token(t, claims(harness.Claims{"iss": "https://evil.example"}))), 401},
		"a foreign audience": {"/", harness.Bearer(harness.Token(t, claims(harness.Claims{"aud": "https://evil.example"}))), 401},
		"no token":           {"/", harness.Header("X", "y"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Get(test.path, test.option)
			if r.Status != test.status || r.Status == 200 && r.Body != "3406327963516932 true false" {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestConvertedIDTokens has the example of the README of caddy-token, and requests.
func TestConvertedIDTokens(t *testing.T) {
	result := convert(t, `{
	order token first
}
http://localhost:8080 {
	token {
		jwt {
			issuer https://dex.example.com
			group admin
		}
	}
	respond "{http.auth.user.id}"
}
`)
	if !strings.Contains(result, "# convert: no audience was checked") {
		t.Errorf("there is no note:\n%s", result)
	}
	s := harness.Start(t, strings.Replace(result, "issuer https://dex.example.com", "issuer https://dex.example.com\nhmac_secret "+harness.Secret, 1))
	token := func(more harness.Claims) string {
		return harness.Token(t, harness.Claims{"iss": "https://dex.example.com", "aud": "login", "nonce": "n", "at_hash": "h", "groups": []string{"admin", "staff"}}, more)
	}
	for name, test := range map[string]struct {
		option harness.Option
		status int
	}{
		"an ID token of the group": {harness.Header("X-Id-Token", token(nil)), 200},
		"another group":            {harness.Header("X-Id-Token", token(harness.Claims{"groups": []string{"staff"}})), 403},
		"no group":                 {harness.Header("X-Id-Token", token(harness.Claims{"groups": nil})), 403},
		"another issuer":           {harness.Header("X-Id-Token", token(harness.Claims{"iss": "https://evil.example"})), 401},
		"another field":            {harness.Bearer(token(nil)), 401},
		"an organization":          {harness.Header("X-Scope-OrgID", "any"), 401},
		"nothing":                  {harness.Header("X", "y"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			if r := s.Get("/", test.option); r.Status != test.status || r.Status == 200 && r.Body != "alice" {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestConvertedWithoutLists has a caddy-jwt with a key alone, as its README begins.
func TestConvertedWithoutLists(t *testing.T) {
	result := convert(t, `http://localhost:8080 {
	route * {
		jwtauth {
			sign_key `+base64.StdEncoding.EncodeToString([]byte(harness.Secret))+`
			from_query access_token token
			from_header X-Api-Token
			from_cookies user_session
			user_claims aud uid user_id username login
			meta_claims "IsAdmin->is_admin"
		}
		respond "{http.auth.user.id} {http.auth.user.is_admin}"
	}
}
`)
	if !strings.Contains(result, "# convert: no audience was checked") || !strings.Contains(result, "# convert: the user was the first") {
		t.Errorf("a note is missing:\n%s", result)
	}
	s := harness.Start(t, result)
	claims := harness.Claims{"iss": nil, "aud": nil, "sub": nil, "uid": 3406327963516932, "username": "alice", "IsAdmin": true, "jti": "t1"}
	for name, test := range map[string]struct {
		token  string
		status int
	}{
		"a token of the key":  {harness.Token(t, claims), 200},
		"a token of another":  {harness.Sign(t, "HS256", []byte("another secret of 32 bytes or more"), nil, claims), 401},
		"one that has no end": {harness.Token(t, claims, harness.Claims{"exp": nil}), 401},
	} {
		t.Run(name, func(t *testing.T) {
			for position, r := range map[string]*harness.Response{
				"Authorization": s.Get("/", harness.Bearer(test.token)), "the query": s.Get("/?access_token=" + test.token),
				"the field": s.Get("/", harness.Header("X-Api-Token", test.token)), "the cookie": s.Get("/", harness.Header("Cookie", "user_session="+test.token)),
			} {
				if r.Status != test.status || r.Status == 200 && r.Body != "3406327963516932 true" {
					t.Errorf("%s: %d %s", position, r.Status, r.Body)
				}
			}
		})
	}
}
