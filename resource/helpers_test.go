package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/excorp/caddy-require-auth/resource"
)

// auth stands in for the app of the root package.
type auth struct {
	Known map[string]resource.Facts `json:"resources"`
}

func (auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "auth", New: func() caddy.Module { return new(auth) }}
}
func (*auth) Start() error { return nil }
func (*auth) Stop() error  { return nil }

func (a *auth) Resources() []resource.Resource { return nil }

func (a *auth) ResourceFacts(url string) (resource.Facts, bool) {
	facts, found := a.Known[url]
	return facts, found
}

func init() { caddy.RegisterModule(auth{}) }

// provision loads a configuration of apps.
func provision(t *testing.T, apps string) caddy.Context {
	t.Helper()
	var parsed caddy.Config
	if err := json.Unmarshal([]byte(`{"admin": {"disabled": true}, "apps": `+apps+`}`), &parsed); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&parsed)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// load returns the handler of the resources, as Caddy would run it.
func load(t *testing.T, ctx caddy.Context, resources string) caddyhttp.MiddlewareHandler {
	t.Helper()
	module, err := ctx.LoadModuleByID("http.handlers.protected_resource", json.RawMessage(`{"resources": `+resources+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return module.(caddyhttp.MiddlewareHandler)
}

// wentOn is the status of a request that reached the next handler.
const wentOn = http.StatusTeapot

// send sends a request through the handler. Errors become their status.
func send(t *testing.T, handler caddyhttp.MiddlewareHandler, method, target string, header http.Header) *http.Response {
	t.Helper()
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Access-Control-Allow-Credentials", "true") // by a handler before
	request := httptest.NewRequest(method, target, nil)
	maps.Copy(request.Header, header)
	request = caddyhttp.PrepareRequest(request, caddy.NewReplacer(), recorder, &caddyhttp.Server{})
	err := handler.ServeHTTP(recorder, request, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(wentOn)
		return nil
	}))
	if err != nil {
		var failure caddyhttp.HandlerError
		if !errors.As(err, &failure) {
			t.Fatal(err)
		}
		recorder.WriteHeader(failure.StatusCode)
	}
	return recorder.Result()
}

// body reads the document of a response.
func body(t *testing.T, response *http.Response) map[string]any {
	t.Helper()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatalf("%d, %q: %v", response.StatusCode, raw, err)
	}
	return members
}

// list is the JSON of resources that have nothing but their URL.
func list(urls ...string) string {
	var resources []string
	for _, url := range urls {
		resources = append(resources, fmt.Sprintf(`{"resource": %q}`, url))
	}
	return "[" + strings.Join(resources, ", ") + "]"
}

// warnings returns what is logged while the documents at the paths are read,
// each by several clients at once.
func warnings(t *testing.T, resources string, paths ...string) []string {
	t.Helper()
	file := t.TempDir() + "/log"
	var config caddy.Config
	if err := json.Unmarshal(fmt.Appendf(nil, `{"admin": {"disabled": true}, "logging": {"logs": {"default": {
		"level": "WARN", "writer": {"output": "file", "filename": %q}}}}}`, file), &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	handler := load(t, ctx, resources)
	for _, path := range paths {
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { send(t, handler, "GET", resource.WellKnown+path, nil) })
		}
		clients.Wait()
	}
	return slices.DeleteFunc(strings.Split(readFile(t, file), "\n"), func(line string) bool {
		return !strings.Contains(line, "names no authorization server")
	})
}

// readFile returns a file, or nothing without one.
func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}
