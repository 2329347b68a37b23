package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var (
	siteOfDocs = regexp.MustCompile(`(?m)^[a-z.]*example\.com \{$`)
	jsonBlock  = regexp.MustCompile("(?s)`([^`\n]+)`:\n\n```json\n(.*?)```")
)

// upstream prints the caller of a request by the identity fields.
func upstream(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		substitute := func(name, otherwise string) string {
			if value := r.Header.Get(name); value != "" {
				return value
			}
			return otherwise
		}
		fmt.Fprintf(w, "%s %s by %s with %s", r.Method, r.URL.Path, substitute("X-User", "anonymous"), substitute("X-Scope", "nothing"))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func callers(site string) func(*http.Request) (*oidc.IDToken, error) {
	keys := oidc.NewRemoteKeySet(context.Background(), site+"/.well-known/auth/jwks.json")
	verifier := oidc.NewVerifier(site, keys, &oidc.Config{ClientID: "https://orders.internal", SupportedSigningAlgs: []string{oidc.ES256}})
	return func(r *http.Request) (*oidc.IDToken, error) {
		return verifier.Verify(r.Context(), r.Header.Get("X-Identity"))
	}
}

// verifyingUpstream verifies who is calling, by the function above, which is that of the
// page.
func verifyingUpstream(t *testing.T) string {
	t.Helper()
	source, page := harness.ReadFile(t, "recipes_test.go"), harness.ReadFile(t, "../docs/recipes.md")
	for _, example := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(source, example[1]) {
			t.Error("the test does not run the Go code of the page")
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := callers("http://" + r.Host)(r)
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(w, "orders of %s", caller.Subject)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// runnable makes a Caddyfile of the docs one that runs here: on the harness's
// port, with a demonstration secret for the keys of issuers.
func runnable(t *testing.T, text string) string {
	t.Helper()
	text = siteOfDocs.ReplaceAllString(harness.WithQuickHash(text), "http://localhost:8080 {")
	text = regexp.MustCompile(`(?m)^\s*issuer .*$`).ReplaceAllString(text, "$0\nhmac_secret demonstration-only-secret-of-32-bytes-or-more")
	text = strings.ReplaceAll(text, "localhost:9000", upstream(t))
	text = strings.ReplaceAll(text, "localhost:4000", verifyingUpstream(t))
	if strings.Contains(text, "localhost:3000") {
		text = strings.ReplaceAll(text, "localhost:3000", gitServer(t))
	}
	text = strings.ReplaceAll(text, "localhost:9091", portal(t))
	return strings.ReplaceAll(text, "/srv/users", userFolders(t))
}

// portal is a login portal: it knows who is logged in, and sends others to its page.
func portal(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if session, err := r.Cookie("session"); err != nil || session.Value != "of-alice" || r.URL.Path != "/verify" {
			http.Redirect(w, r, "https://login.example.com/", http.StatusFound)
			return
		}
		w.Header().Set("X-User", "alice")
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// userFolders is a folder with one folder for each user.
func userFolders(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "users")
	for _, user := range []string{"alice", "bob"} {
		if err := os.MkdirAll(filepath.Join(folder, user), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, user, "plan.txt"), []byte("the plan of "+user), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestRecipes runs every recipe: its Caddyfile, its files, its commands.
func TestRecipes(t *testing.T) {
	page, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, recipe := range strings.Split(string(page), "\n## ")[1:] {
		name, text, _ := strings.Cut(recipe, "\n")
		example := caddyfileBlock.FindStringSubmatch(text)
		if example == nil {
			continue // a link to another page
		}
		run++
		t.Run(name, func(t *testing.T) {
			caddyfile := example[1]
			for _, file := range jsonBlock.FindAllStringSubmatch(text, -1) {
				path := filepath.Join(t.TempDir(), "file.json")
				if err := os.WriteFile(path, []byte(file[2]), 0o600); err != nil {
					t.Fatal(err)
				}
				caddyfile = strings.ReplaceAll(caddyfile, file[1], path)
			}
			tests := accessTests.FindStringSubmatch(text)
			if tests == nil {
				t.Fatal("the recipe has no access tests")
			}
			runAccessTests(t, caddyfile, tests[1], "coverage: 100.0%")
			config := runnable(t, caddyfile)
			steps := filepath.Join(t.TempDir(), "recipe.md")
			if err := os.WriteFile(steps, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := harness.Start(t, config)
			if requests := runTour(t, s.Addr(), readTour(t, steps)); requests == 0 {
				t.Error("the recipe asks nothing")
			}
		})
	}
	if run < 5 {
		t.Errorf("%d recipes were found", run)
	}
}

// accessTests finds the access tests of a recipe.
var accessTests = regexp.MustCompile("(?s)```text\n(# access.test\n.*?)```")

// runAccessTests runs access tests, all of which have to hold.
func runAccessTests(t *testing.T, caddyfile, tests, want string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"Caddyfile": caddyfile, "access.test": tests} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("caddy", "auth", "test", "--coverage", "access.test")
	command.Dir = folder
	if output, err := command.Output(); err != nil || !strings.Contains(string(output), want) {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestAccessOfExample runs the access tests of the example.
func TestAccessOfExample(t *testing.T) {
	runAccessTests(t, harness.ReadFile(t, "../Caddyfile.example"), harness.ReadFile(t, "../access.test"), "20 cases, 0 failed")
}
