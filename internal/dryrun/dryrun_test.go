package dryrun_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the handlers of the configurations

	"github.com/excorp/caddy-require-auth/internal/dryrun"
)

type strange struct{}

func init() { caddy.RegisterModule(strange{}) }

func (strange) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.strange", New: func() caddy.Module { return new(strange) }}
}

func (strange) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
	panic("an unknown handler was run")
}

const config = `{"servers": {"s": {
	"listen": ["127.0.0.1:0"],
	"listener_wrappers": [{"wrapper": "http_redirect"}],
	"named_routes": {"shared": {"handle": [{"handler": "static_response", "body": "named"}]}},
	"routes": [
		{"match": [{"path": ["/proxy"]}], "handle": [{"handler": "encode", "encodings": {"gzip": {}}}, {"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:1"}], "health_checks": {"active": {"uri": "/", "interval": "1ms"}}}]},
		{"match": [{"path": ["/files"]}], "handle": [{"handler": "file_server"}]},
		{"match": [{"path": ["/strange"]}], "handle": [{"handler": "strange"}, {"handler": "static_response", "body": "behind"}]},
		{"match": [{"path": ["/named"]}], "handle": [{"handler": "invoke", "name": "shared"}]},
		{"match": [{"path": ["/abort"]}], "handle": [{"handler": "static_response", "abort": true}]},
		{"match": [{"path": ["/nested/*"]}], "handle": [{"handler": "subroute",
			"routes": [{"handle": [{"handler": "error", "status_code": 418}]}],
			"errors": {"routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:1"}]}]}]}}]},
		{"match": [{"path": ["/asks"]}], "handle": [{"handler": "timeouts", "read_timeout": 1000000000}, {"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:1"}], "rewrite": {"method": "GET", "uri": "/auth"}, "handle_response": [{"match": {"status_code": [2]}}]}, {"handler": "static_response", "body": "asked"}]},
		{"match": [{"path": ["/copies"]}], "handle": [{"handler": "copy_response"}]},
		{"group": "one", "match": [{"path": ["/group"]}], "handle": [{"handler": "vars", "a": "b"}]},
		{"group": "one", "handle": [{"handler": "static_response", "body": "the second of a group"}]},
		{"handle": [{"handler": "static_response", "body": "last {http.vars.a}"}]}
	]
}}}`

// load provisions the configuration, as it stands or made harmless.
func load(t *testing.T, harmless bool) *caddyhttp.Server {
	t.Helper()
	text := []byte(config)
	if harmless {
		var app map[string]any
		if err := json.Unmarshal(text, &app); err != nil {
			t.Fatal(err)
		}
		dryrun.Harmless(app)
		text, _ = json.Marshal(app)
		for _, removed := range []string{"listener_wrappers", "health_checks", "127.0.0.1:1"} {
			if strings.Contains(string(text), removed+`"`) {
				t.Errorf("%s is still there: %s", removed, text)
			}
		}
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		AppsRaw: caddy.ModuleMap{"http": text}, Admin: &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	server, err := dryrun.Server(app.(*caddyhttp.App).Servers["s"])
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func TestServer(t *testing.T) {
	for kind, harmless := range map[string]bool{"as it stands": false, "made harmless": true} {
		server := load(t, harmless)
		for path, want := range map[string]struct{ reached, skipped, body string }{
			"/proxy":    {reached: "reverse_proxy"},
			"/files":    {reached: "file_server"},
			"/asks":     {skipped: "reverse_proxy", body: "asked"},
			"/copies":   {reached: "copy_response"},
			"/strange":  {skipped: "strange", body: "behind"},
			"/named":    {body: "named"},
			"/abort":    {reached: "abort"},
			"/nested/x": {reached: "reverse_proxy"},
			"/group":    {body: "last b"},
			"/other":    {body: "the second of a group"},
		} {
			t.Run(kind+" "+path, func(t *testing.T) {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, path, nil)
				ctx, walk := dryrun.Begin(r.Context())
				r = caddyhttp.PrepareRequest(r.WithContext(ctx), caddy.NewReplacer(), w, server)
				last := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
				if err := server.Routes.Compile(last).ServeHTTP(w, r); err != nil {
					t.Fatal(err)
				}
				if walk.Reached != want.reached || strings.Join(walk.Skipped, " ") != want.skipped || w.Body.String() != want.body {
					t.Errorf("reached %q, skipped %q, body %q", walk.Reached, walk.Skipped, w.Body)
				}
				if !dryrun.In(r.Context()) || dryrun.In(t.Context()) {
					t.Error("it does not know whether it is a dry run")
				}
			})
		}
	}
	t.Run("handlers of a dry run serve no other request", func(t *testing.T) {
		server, w := load(t, false), httptest.NewRecorder()
		r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/strange", nil), caddy.NewReplacer(), w, server)
		last := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
		if server.Routes.Compile(last).ServeHTTP(w, r) == nil {
			t.Error("it was served")
		}
	})
}
