package requireauth

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/excorp/caddy-require-auth"

// leaves are small tools for every package. They import only each other.
const leaves = "internal/authheader internal/block internal/caddyrequest internal/claimpath internal/clientaddress internal/denials internal/fairness internal/fieldname internal/fingerprint internal/apikeyformat internal/keyedhash internal/lasting " +
	"internal/mismatch internal/origin internal/responsewriter internal/steps internal/streams internal/strictjson internal/textfile internal/watch internal/zerocopy"

// mayImport are the packages of this module, and of golang.org/x/text, that a
// package may import besides the leaves. The root package may import all.
var mayImport = map[string]string{
	"authn":            "authn/trace store",
	"authn/apikey":     "authn authn/report internal/capability",
	"authn/basic":      "authn authn/report store internal/capability golang.org/x/text/unicode/norm", // user names and passwords in NFC, RFC 8265
	"authn/bearer":     "authn authn/report store internal/capability internal/dpop internal/introspection internal/idp internal/jose internal/keyset",
	"authn/clientcert": "authn authn/report",
	"authn/report":     "",
	"authn/trace":      "",
	"authn/bruteforce": "authn store",
	"authz":            "authn authn/trace",
	"mcp":              "authn golang.org/x/text/unicode/norm", // names of tools
	"cors":             "",
	"resource":         "authn cors internal/dryrun internal/idp resource/facade",
	"resource/facade":  "authn internal/idp internal/page",
	"command":          "authn authz internal/accesstest internal/convert internal/jose internal/lint internal/openapi internal/routes internal/sourcepos mcp openapi",
	"openapi":          "authn authz internal/idp internal/openapi internal/routes",

	"securityevents": "authn internal/idp internal/jose internal/keyset store",

	"store":                  "",
	"store/internal/entries": "store",
	"store/memory":           "store store/internal/entries",
	"store/redis":            "store store/internal/entries store/memory",
	"store/storetest":        "store",

	"internal/accesstest":    "authn internal/idp",
	"internal/capability":    "authn internal/idp",
	"internal/denial":        "authn internal/page",
	"internal/page":          "golang.org/x/text/language",
	"internal/jose":          "",
	"internal/idp":           "",
	"internal/keyset":        "internal/idp",
	"internal/dpop":          "internal/idp internal/jose internal/keyset",
	"internal/dpop/dpoptest": "",
	"internal/introspection": "internal/idp internal/jose internal/keyset",
	"internal/openapi":       "internal/pathtemplate",
	"internal/pathtemplate":  "",
	"internal/routes":        "",
	"internal/signer":        "store",
	"internal/sourcepos":     "",
	"internal/convert":       "internal/apikeyformat internal/sourcepos",
	"internal/dryrun":        "internal/routes",
	"internal/lint":          "internal/routes internal/sourcepos",
}

// outside are the folders that use the module as a reader of the documentation does.
var outside = []string{"bench", "cmd", "docs", "integration_test", "tools"}

// TestImports keeps the imports of every package in one direction: a scheme
// reaches neither pages nor bodies, and no package reaches the root.
func TestImports(t *testing.T) {
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (slices.Contains(outside, path) || name == "testdata" || len(name) > 1 && name[0] == '.') {
			return fs.SkipDir
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		if pkg == "." || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		seen[pkg] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imported := range file.Imports {
			target, err := strconv.Unquote(imported.Path.Value)
			if err != nil {
				return err
			}
			if !allows(pkg, target) {
				t.Errorf("%s imports %s: the table mayImport does not allow it", path, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(slices.Collect(maps.Keys(mayImport)), strings.Fields(leaves))
	for pkg := range seen {
		if !slices.Contains(known, pkg) {
			t.Errorf("%s is missing in the table mayImport", pkg)
		}
	}
	for _, pkg := range known {
		if !seen[pkg] {
			t.Errorf("%s is in the table and has no files", pkg)
		}
	}
}

// allows reports whether a package may import another one.
func allows(pkg, target string) bool {
	if target == "github.com/caddyserver/caddy/v2/modules/caddyhttp" { // see internal/caddyrequest
		return !strings.HasPrefix(pkg, "authn") && pkg != "internal/clientaddress"
	}
	inside, ours := strings.CutPrefix(target, module)
	if !ours && !strings.HasPrefix(target, "golang.org/x/text/") {
		return true
	}
	if ours {
		target = strings.TrimPrefix(inside, "/")
	}
	return slices.Contains(strings.Fields(leaves), target) || slices.Contains(strings.Fields(mayImport[pkg]), target)
}

func TestImportsAreChecked(t *testing.T) {
	for _, arrow := range [][2]string{
		{"authn", module + "/internal/denial"}, {"authn/basic", module + "/internal/page"}, {"authn", "golang.org/x/text/language"},
		{"authn/bearer", module}, {"authn", "github.com/caddyserver/caddy/v2/modules/caddyhttp"}, {"internal/steps", module + "/authn"}, {"mcp", module + "/command"}, {"unknown", module + "/authn"},
	} {
		if allows(arrow[0], arrow[1]) {
			t.Errorf("%s may import %s", arrow[0], arrow[1])
		}
	}
}
