package convert

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func options(files map[string]string, variables map[string]string) Options {
	return Options{
		ReadFile: func(path string) ([]byte, error) {
			if content, found := files[path]; found {
				return []byte(content), nil
			}
			return nil, errors.New(path + " not found")
		},
		Getenv: func(name string) string { return variables[name] },
	}
}

// TestStays has what is not understood, or not converted without a doubt.
func TestStays(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"another hash":              {"basic_auth scrypt {\n\ta b\n}", "bcrypt and argon2id"},
		"a salt":                    {"basic_auth {\n\ta b c\n}", "no user with a hash"},
		"users of another file":     {"basic_auth {\n\timport users\n}", "no user with a hash"},
		"no users":                  {"basic_auth bcrypt", "no users"},
		"a variable that is unset":  {"@d not header Authorization \"Bearer {$KEY}\"\nrespond @d 401", "variable KEY, which is not set"},
		"a pattern":                 {"@d not header Authorization \"Bearer *\"\nrespond @d 401", "is a pattern"},
		"no scheme":                 {"@d not header Authorization secret\nrespond @d 401", "no scheme such as Bearer"},
		"a password without a name": {"@d not header Authorization \"Basic eHg=\"\nrespond @d 401", "invalid credential of Basic"},
		"an answer that is a page":  {"@d not header Authorization \"Bearer a\"\nrespond @d 200", "compares a credential"},
		"two uses":                  {"@d not header X-Api-Key a\nrespond @d 401\nrewrite @d /x", "compares a credential"},
		"one good answer":           {"@ok header X-Api-Key a\nreverse_proxy @ok localhost:1", "compares a credential"},
		"another handle":            {"@ok header X-Api-Key a\n@b host b\nhandle @ok {\n\trespond a\n}\nhandle @b {\n\trespond b\n}\nrespond 401", "compares a credential"},
		"two answers of others":     {"@ok header X-Api-Key a\nhandle @ok {\n\trespond a\n}\nrespond 401\nrespond 403", "compares a credential"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Caddyfile("Caddyfile", []byte("localhost\n"+test.lines+"\n"), options(nil, nil))
			if err != nil {
				t.Fatal(err)
			}
			if result.Gates != 0 || len(result.Notes) != 1 || !strings.Contains(result.Notes[0], test.want) || !strings.HasPrefix(result.Notes[0], "Caddyfile:") {
				t.Errorf("%d gates, notes %q", result.Gates, result.Notes)
			}
			if text := string(result.Caddyfile); !strings.Contains(text, "# convert: ") || !strings.Contains(text, strings.SplitN(test.lines, "\n", 2)[0]) {
				t.Errorf("it is\n%s", text)
			}
		})
	}
}

// TestRefused has directives of other plugins that would check less, or nothing, here.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"tokens that are not verified":    {"jwtauth {\n\tskip_verification\n}", "skip_verification has no value"},
		"tokens that are not verified, 2": {"jwtauth {\n\tskip_verification true\n}", "verifies every token"},
		"no key":                          {"jwtauth {\n\tfrom_query t\n}", "no sign_key"},
		"a secret in the clear":           {"jwtauth {\n\tsign_key not-base64!\n}", "not base64"},
		"a public key":                    {"jwtauth {\n\tsign_key \"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\"\n}", "in a file"},
		"a public key in base64":          {"jwtauth {\n\tsign_key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\tsign_alg EdDSA\n}", `save {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"} in a file, and write ` + "`key_file <path>`"},
		"a public key of the environment": {"jwtauth {\n\tsign_key {$KEY}\n\tsign_alg EdDSA\n}", `save it in a file as {"kty": "OKP", "crv": "Ed25519", "x": "<the key in base64url>"}`},
		"a secret for another algorithm":  {"jwtauth {\n\tsign_key eA==\n\tsign_alg RS256\n}", "sign_alg RS256 does not take"},
		"an argument":                     {"jwtauth x {\n\tsign_key eA==\n}", "unexpected argument"},
		"ID tokens that are not verified": {"token {\n\tjwt {\n\t\tverify false\n\t}\n}", "verifies every token"},
		"keys of a form of their own":     {"token {\n\tsigned {\n\t\tkey x\n\t}\n}", "new-key"},
		"a file that is missing":          {"token {\n\tfile none\n}", "not found"},
		"a file without keys":             {"token {\n\tfile empty\n}", "no keys in empty"},
		"an unknown line":                 {"token {\n\tx\n}", "unrecognized subdirective x"},
		"two meanings of a placeholder":   {"jwtauth {\n\tsign_key eA==\n\tmeta_claims a->x b->x\n}", "two meanings"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Caddyfile("Caddyfile", []byte("localhost\n"+test.lines+"\n"), options(map[string]string{"empty": "\n"}, nil))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "Caddyfile:2: ") {
				t.Errorf("%v, %v", result, err)
			}
		})
	}
}

// TestText has what is written, with comments, quotes and variables.
func TestText(t *testing.T) {
	for name, test := range map[string]struct{ lines, want string }{
		"a comment stays":         {"basic_auth {\n# the boss\nalice $2a$x # here\n}", "# the boss\nrequire_auth {"},
		"a name is quoted":        {"basic_auth {\n\"a \\\"b\\\"\" $2a$x\n}", "user `a \"b\"` $2a$x"},
		"a variable of a hash":    {"basic_auth {\na {$HASH}\n}", "user a {$HASH}"},
		"a variable of a key":     {"@d not header X-Api-Key {$KEY}\nrespond @d 401", "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"},
		"the default of a key":    {"@d not header X-Api-Key {$NONE:key}\nrespond @d 401", "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"},
		"handles beside a gate":   {"@d not header X-Api-Key a\nrespond @d 401\nhandle /x {\nrespond x\n}", "# convert: the gate is also for handle"},
		"keys and groups":         {"token {\nfile keys\njwt {\nissuer https://dex.example\ngroup admin\n}\n}", "role admin\n\t}\n"},
		"an organization":         {"token {\nfile keys\n}", "forward X-Scope-OrgID {http.auth.user.organization}"},
		"no organization":         {"token {\nfile keys\ninjectOrgHeader false\n}", "from header X-Api-Key"},
		"tenants of a claim":      {"token {\njwt {\nissuer https://dex.example\n}\ntenantOrgClaim ort\n}", "forward X-Scope-OrgID {http.auth.user.ort}"},
		"a secret of the env":     {"jwtauth {\nsign_key {$JWT}\n}", "hmac_secret base64:{$JWT}"},
		"a key before a key set":  {"jwtauth {\nsign_key eA==\njwk_url https://a.example/jwks\n}", "hmac_secret base64:eA=="},
		"a secret with its alg":   {"jwtauth {\nsign_key eA==\nsign_alg HS512\n}", "hmac_secret base64:eA==\nalgorithms HS512"},
		"a key set with its alg":  {"jwtauth {\njwk_url https://a.example/jwks\nsign_alg EdDSA\n}", "jwks https://a.example/jwks\nalgorithms EdDSA"},
		"a key set":               {"jwtauth {\njwk_url https://a.example/jwks\n}", "jwks https://a.example/jwks"},
		"more records in the log": {"token {\nfile keys\ndebug true\n}", "from header X-Api-Key"},
		"another header is other": {"basic_auth {\na $2a$x\n}\n@d not header Accept text/html\nrespond @d 401", "@d not header Accept text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Caddyfile("Caddyfile", []byte("localhost\n"+test.lines+"\n"), options(map[string]string{"keys": "a\n"}, map[string]string{"KEY": "key"}))
			if err != nil {
				t.Fatal(err)
			}
			text := string(result.Caddyfile)
			if !strings.Contains(strings.ReplaceAll(text, "\t", ""), strings.ReplaceAll(test.want, "\t", "")) {
				t.Errorf("it is\n%s", text)
			}
			if strings.Contains(text, "injectOrgHeader") || name == "no organization" && strings.Contains(text, "forward") {
				t.Errorf("it is\n%s", text)
			}
		})
	}
}

// FuzzCaddyfile converts any text. The result is read again.
func FuzzCaddyfile(f *testing.F) {
	for _, seed := range []string{
		"", "a {\nbasic_auth {\na $2a$x\n}\n}", "@d not header X-Api-Key a\nrespond @d 401", "@d {\nnot {\nheader X-Api-Key a\n}\n}\nabort @d",
		"jwtauth {\nsign_key eA==\nmeta_claims a->b\n}", "token {\nfile f\njwt {\nissuer x\n}\n}", "@\n@ {\n}\nhandle @ {\n}", "order jwtauth x",
		"handle @a {\n}\n@a header X-Token a\nrespond 401", "basic_auth \"\" {\n\"\" \"\"\n}", "not\n@a not\n@a header", "basic_auth <<A\nx\nA {\n}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		result, err := Caddyfile("Caddyfile", []byte(text), options(map[string]string{"f": "key"}, nil))
		if err != nil {
			return
		}
		if _, err := caddyfile.Tokenize(result.Caddyfile, "Caddyfile"); err != nil && result.Gates > 0 {
			t.Fatalf("%q became %q: %v", text, result.Caddyfile, err)
		}
	})
}
