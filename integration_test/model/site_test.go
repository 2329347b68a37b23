package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// fuzzSite has the gates of [rules]. It answers with who the upstream would be
// told.
func fuzzSite(t testing.TB) string {
	return `{
	auto_https off
	auth {
		attempts off
		` + declaredSchemes(t) + `
		bearer anywhere {` + harness.BearerLines + `
			token_from header
			token_from query access_token
			token_from cookie token
		}
	}
}
http://localhost:8080 {
	require_auth /bearer corp {
		forward X-User {http.auth.user.id}
	}
	require_auth /basic ops {
		forward X-User {http.auth.user.id}
	}
	require_auth /key partners {
		forward X-User {http.auth.user.id}
	}
	require_auth /three corp ops partners {
		scope read
		forward X-User {http.auth.user.id}
	}
	require_auth /admin corp ops partners {
		scope admin
		forward X-User {http.auth.user.id}
	}
	require_auth /role corp ops partners {
		role operator
		forward X-User {http.auth.user.id}
	}
	require_auth /optional corp ops partners {
		optional
		forward X-User {http.auth.user.id}
	}
	require_auth /hide corp {
		scope admin
		hide
		forward X-User {http.auth.user.id}
	}
	require_auth /hideall corp {
		scope admin
		hide all
		forward X-User {http.auth.user.id}
	}
	require_auth /two corp {
		scope read
		forward X-User {http.auth.user.id}
	}
	require_auth /two corp {
		scope admin
		forward X-User {http.auth.user.id}
	}
	require_auth /places anywhere {
		forward X-User {http.auth.user.id}
	}
	require_auth /mcp corp {
		forward X-User {http.auth.user.id}
		mcp {
			tool delete_* admin
		}
	}
	respond "{http.request.header.X-User}"
}`
}

// serve runs the site and returns its handler, to be asked without a
// connection. Nothing is logged: there would be no end of it.
func serve(t testing.TB) http.Handler {
	t.Helper()
	adapted, err := harness.Adapt(fuzzSite(t))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	server := config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["srv0"].(map[string]any)
	server["listen"] = []string{"unix/" + t.TempDir() + "/s"}
	config["admin"] = map[string]any{"disabled": true}
	config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "discard"}}}}
	whole, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(whole, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*caddyhttp.App).Servers["srv0"]
}

// exchange gives a handler the bytes of a request, read as a server reads them.
// It returns nothing for what a server would not let through to it.
func exchange(handler http.Handler, raw []byte) (*http.Request, *httptest.ResponseRecorder) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil || r.Host != "localhost" {
		return nil, nil
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) || !allValid(values) {
			return nil, nil // as net/http does
		}
	}
	r.RemoteAddr = "192.0.2.7:1234"
	clone := r.Clone(r.Context()) // what the gate takes away from its own
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return clone, w
}

func allValid(values []string) bool {
	return !slices.ContainsFunc(values, func(value string) bool { return !httpguts.ValidHeaderFieldValue(value) })
}
