package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	password = "correct horse battery staple"
	apiKey   = "key-of-a-partner-0123456789"
	oldKey   = "key-that-has-ended-0123456789"
)

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// declaredSchemes are the schemes. The keys of `down` cannot be had. A valid caller has the
// scope read and the role operator, by each of them.
func declaredSchemes(t testing.TB) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const granted = "{\nscope read\nrole operator\n}\n"
	return "bearer corp {" + harness.BearerLines + "}\n" +
		"bearer down {\naudience " + harness.Audience + "\njwks http://127.0.0.1:1/keys\n}\n" +
		"basic ops {\nuser alice " + string(hash) + " " + granted + "}\n" +
		"api_key partners {\nfrom header X-API-Key\nkey alice " + digestOf(apiKey) + " " + granted +
		"key gone " + digestOf(oldKey) + " {\nexpires 2001-01-01T00:00:00Z\n}\n}\n"
}

// withProof are the schemes whose tokens or connections have a key: they take
// more than a text to use.
func withProof(authorities string) string {
	down := "audience " + harness.Audience + "\njwks http://127.0.0.1:1/keys\n"
	return "bearer bound {" + harness.BearerLines + "dpop required\n}\n" +
		"bearer either {" + harness.BearerLines + "dpop optional\n}\n" +
		"bearer down-bound {\n" + down + "dpop required\n}\n" +
		"bearer down-either {\n" + down + "dpop optional\n}\n" +
		"client_cert cards {\ntrust_pool " + authorities + "\nuser_from common_name\nrule common_name alice {\nscope read\nrole operator\n}\n}\n"
}

// requirements are the lines of a gate for each word, and of a second gate.
var requirements = map[string][]string{
	"nothing": {""}, "scope met": {"scope read"}, "scope": {"scope read admin"}, "any_scope": {"any_scope admin root"}, "role": {"role boss"},
	"claim": {"claim tenant acme"}, "user": {"user bob"}, "if": {"if `{http.auth.user.id} == \"bob\"`"}, "if broken": {"if `{http.auth.user.level} > 3`"},
	"acr": {"acr gold"}, "max_age": {"max_age 5m"}, "second gate": {"", "scope admin"},
	"operation met": {"openapi DOCUMENT"}, "operation": {"openapi DOCUMENT"}, "undeclared": {"openapi DOCUMENT"},
	"tool met": {"mcp {\ntool delete_* read\n}"}, "tool": {"mcp {\ntool delete_* admin\n}"}, "tool unclear": {"mcp {\ntool delete_* read\n}"},
}

// kind is what is accepted, and which of it the credential is.
type kind struct {
	accepts   string
	offered   []string // the challenges
	presented string   // the one of the credential
}

var three = []string{"Bearer", "Basic", "ApiKey"}

var kinds = map[string]kind{
	"bearer":             {"corp", three[:1], "Bearer"},
	"basic":              {"ops", three[1:2], "Basic"},
	"api_key":            {"partners", three[2:], "ApiKey"},
	"dpop":               {"bound", []string{"DPoP"}, "DPoP"},
	"client_cert":        {"cards", []string{"ClientCertificate"}, "ClientCertificate"},
	"bearer of three":    {"corp ops partners", three, "Bearer"},
	"basic of three":     {"corp ops partners", three, "Basic"},
	"api_key of three":   {"corp ops partners", three, "ApiKey"},
	"dpop of two":        {"either", []string{"Bearer", "DPoP"}, "DPoP"},
	"client_cert of two": {"corp cards", []string{"Bearer", "ClientCertificate"}, "ClientCertificate"},
	"bearer of two":      {"corp cards", []string{"Bearer", "ClientCertificate"}, "Bearer"},
}

// acceptedSchemes are the schemes that a gate accepts.
func acceptedSchemes(p point) string {
	accepts := kinds[p.scheme].accepts
	if p.credential == "unavailable" {
		accepts = strings.NewReplacer("corp", "down", "bound", "down-bound", "either", "down-either").Replace(accepts)
	}
	return accepts
}

// path is the path of the gate for a point.
func path(p point) string {
	return "/" + strings.NewReplacer(" ", "-").Replace(acceptedSchemes(p)+"/"+p.required+"/"+p.option)
}

// byDocument reports whether the gate for a point goes by an OpenAPI document.
func byDocument(p point) bool { return slices.Contains(requirements[p.required], "openapi DOCUMENT") }

// securitySchemes are those of the OpenAPI document, by the names of the gates' schemes.
// Tokens have scopes, the others have roles.
var securitySchemes = map[string]string{
	"corp": tokens, "down": tokens, "bound": tokens, "either": tokens, "down-bound": tokens, "down-either": tokens,
	"ops": `{"type":"http","scheme":"basic"}`, "partners": `{"type":"apiKey","in":"header","name":"X-API-Key"}`, "cards": `{"type":"mutualTLS"}`,
}

const tokens = `{"type":"openIdConnect","openIdConnectUrl":"https://idp.example.com"}`

// writeDocuments writes an OpenAPI document for each list of schemes, with the operation of
// each point that has one.
func writeDocuments(t testing.TB) map[string]string {
	t.Helper()
	type object = map[string]any
	paths, folder := make(map[string]object), t.TempDir()
	points(func(p point) {
		if !byDocument(p) || p.required == "undeclared" {
			return
		}
		var security []object
		for name := range strings.FieldsSeq(acceptedSchemes(p)) {
			grant := map[string]string{"operation met": "operator", "operation": "boss"}[p.required]
			if securitySchemes[name] == tokens {
				grant = map[string]string{"operation met": "read", "operation": "admin"}[p.required]
			}
			security = append(security, object{name: []string{grant}})
		}
		if paths[acceptedSchemes(p)] == nil {
			paths[acceptedSchemes(p)] = make(object)
		}
		paths[acceptedSchemes(p)][path(p)] = object{"get": object{"security": security}}
	})
	files := make(map[string]string)
	for accepts, paths := range paths {
		schemes := make(object)
		for name := range strings.FieldsSeq(accepts) {
			schemes[name] = json.RawMessage(securitySchemes[name])
		}
		document, err := json.Marshal(object{"openapi": "3.1.0", "paths": paths, "components": object{"securitySchemes": schemes}})
		files[accepts] = filepath.Join(folder, strings.ReplaceAll(accepts, " ", "-")+".json")
		if err == nil {
			err = os.WriteFile(files[accepts], document, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// caddyfile has a gate for each path. The site :8081 has error routes.
func caddyfile(t testing.TB, upstream string, files pki) string {
	t.Helper()
	gates := map[bool]map[string]string{false: {}, true: {}} // by their folders
	seen := map[string]bool{}
	documents := writeDocuments(t)
	points(func(p point) {
		if seen[path(p)] || p.option == "optional" && byDocument(p) {
			return
		}
		seen[path(p)] = true
		option := map[string]string{"optional": "optional", "hide": "hide", "hide all": "hide all"}[p.option]
		folder, _, _ := strings.Cut(path(p)[1:], "/")
		for _, required := range requirements[p.required] {
			gates[p.option == "handle_errors"][folder] += fmt.Sprintf("require_auth %s %s {\n%s\n%s\nforward X-User {http.auth.user.id}\n}\n", path(p), acceptedSchemes(p), strings.ReplaceAll(required, "DOCUMENT", documents[acceptedSchemes(p)]), option)
		}
	})
	// The folders keep a request from the matchers of all other gates.
	site := func(errorRoutes bool) (written string) {
		for folder, all := range gates[errorRoutes] {
			written += "handle /" + folder + "/* {\n" + all + "reverse_proxy " + upstream + "\n}\n"
		}
		return written
	}
	return "{\nauto_https disable_redirects\nservers {\nmax_header_size 32KiB\ntrusted_proxies static 127.0.0.0/8 ::1/128\n}\nauth {\nattempts {\nper_client 1000000\nper_account 1000000\nwait 15m\n}\n" + declaredSchemes(t) + withProof(files.authority) + "}\n}\n" +
		"https://localhost:8080 {\n" + files.tls() + site(false) + "}\n" +
		"https://localhost:8081 {\n" + files.tls() + site(true) + "handle_errors {\nrespond `{\"code\":\"{http.auth.error}\"}` {err.status_code}\n}\n}\n"
}

// gates is a running Caddy with all of them, and the upstream behind.
type gates struct {
	*harness.Server
	t           *testing.T
	clients     map[string]*http.Client // by the certificate that they have
	reached     atomic.Int64
	user        atomic.Value // string: who the upstream was told
	credentials map[string]map[string][]string
	holder      holder
	secrets     []string
}

func startGates(t *testing.T) *gates {
	t.Helper()
	files := newPKI(t)
	g := &gates{t: t, clients: files.clients(t), holder: newHolder(t)}
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.reached.Add(1)
		g.user.Store(strings.Join(r.Header["X-User"], ","))
	}))
	t.Cleanup(upstream.Close)
	g.Server = harness.StartWithAdmin(t, caddyfile(t, strings.TrimPrefix(upstream.URL, "http://"), files))
	g.credentials = g.prepare(t)
	return g
}
