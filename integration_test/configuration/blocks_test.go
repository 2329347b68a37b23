package configuration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// codeBlock is a block of code in a Markdown file.
var codeBlock = regexp.MustCompile("(?ms)^```(caddyfile|json)\n(.*?)^```$")

// TestBlocks formats, adapts and validates every configuration of the pages, as
// `caddy fmt` and `caddy validate` do. It runs none: their sites are public.
func TestBlocks(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", "demonstration-only")
	t.Setenv("SSF_CLIENT_SECRET", "demonstration-only")
	substitute := substitutes(t)
	pages, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, page := range append(pages, more...) {
		name := filepath.Base(page)
		for _, found := range codeBlock.FindAllStringSubmatch(harness.ReadFile(t, page), -1) {
			kind, code := found[1], found[2]
			if kind == "json" && !strings.Contains(code, `"apps"`) {
				continue // a file of another kind
			}
			counts[name]++
			begin, _, _ := strings.Cut(strings.TrimSpace(code), "\n")
			t.Run(name+" "+begin, func(t *testing.T) {
				if kind == "caddyfile" {
					wantFormatted(t, code)
					code = adapt(t, documentedFile.ReplaceAllStringFunc(complete(code), substitute))
				}
				if err := validate(t, code); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for name, least := range map[string]int{"README.md": 6, "README.ko.md": 6, "caddyfile.md": 3, "recipes.md": 6, "providers.md": 20} {
		if counts[name] < least {
			t.Errorf("%d blocks of %s: were they found?", counts[name], name)
		}
	}
}

// TestExampleIsFormatted holds the example to the same format.
func TestExampleIsFormatted(t *testing.T) {
	wantFormatted(t, harness.ReadFile(t, "../../Caddyfile.example"))
}

func wantFormatted(t *testing.T, code string) {
	t.Helper()
	if formatted := string(caddyfile.Format([]byte(code))); formatted != code {
		t.Errorf("not as `caddy fmt` writes it:\n%s", formatted)
	}
}

// complete adds a gate to a block that shows a scheme alone.
func complete(code string) string {
	if !strings.HasPrefix(code, "bearer ") {
		return code
	}
	return "{\n\tauth {\n" + code + "\t}\n}\n\nhttp://localhost:8080 {\n\trequire_auth\n\trespond ok\n}\n"
}

// documentedFile is the path of a file in a block.
var documentedFile = regexp.MustCompile(`/etc/caddy/\S+|/\S+/ca\.crt|\bkeys\.json\b`)

// substitutes returns a function that replaces the files of a block by files of
// the same kind that exist.
func substitutes(t *testing.T) func(string) string {
	t.Helper()
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "docs", nil, time.Hour))
	return func(path string) string {
		if filepath.Base(path) == "openapi.json" {
			return "testdata/files/openapi.yaml"
		}
		switch filepath.Ext(path) {
		case ".pem", ".crt":
			return certificate
		case ".key":
			return key
		case ".json":
			return "testdata/files/api-keys.json"
		case "":
			return filepath.Join("testdata/files", map[string]string{"htpasswd": "users.htpasswd", "pages": "pages"}[filepath.Base(path)])
		default:
			return path
		}
	}
}
