package cors_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"

	"github.com/excorp/caddy-require-auth/cors"
)

// auth stands in for the app of the root package.
type auth struct{}

func (auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "auth", New: func() caddy.Module { return new(auth) }}
}
func (*auth) Start() error { return nil }
func (*auth) Stop() error  { return nil }

func (*auth) CarriesCredential(r *http.Request) bool { return r.Header.Get("X-Partner") != "" }
func (*auth) ReadableByAll(r *http.Request) bool     { return r.URL.Path == "/document" }
func (*auth) AnswerPreflight(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(http.StatusNoContent)
}

func init() { caddy.RegisterModule(auth{}) }

// provision loads a configuration with or without the app.
func provision(t *testing.T, config string) caddy.Context {
	t.Helper()
	var parsed caddy.Config
	if err := json.Unmarshal([]byte(config), &parsed); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&parsed)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

const (
	withoutApp = `{"admin": {"disabled": true}}`
	withApp    = `{"admin": {"disabled": true}, "apps": {"auth": {}}}`
)

// load returns the handler that the JSON configures, as Caddy would run it.
func load(t *testing.T, ctx caddy.Context, config string) caddyhttp.MiddlewareHandler {
	t.Helper()
	module, err := ctx.LoadModuleByID("http.handlers.auth_cors", json.RawMessage(config))
	if err != nil {
		t.Fatal(err)
	}
	return module.(caddyhttp.MiddlewareHandler)
}

// prepare makes a request as the server hands it to handlers.
func prepare(r *http.Request, w http.ResponseWriter) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
}

// fields is a header written as name, value, name, value.
type fields []string

func (f fields) header() http.Header {
	header := http.Header{}
	for pair := range slices.Chunk(f, 2) {
		header.Add(pair[0], pair[1])
	}
	return header
}

const (
	exposed       = "WWW-Authenticate, Retry-After, DPoP-Nonce, X-Trace-Id"
	preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

	named       = `{"origins": ["https://web.example"]}`
	credentials = `{"origins": ["https://web.example"], "credentials": true}`
	static      = `{"origins": ["*"]}`
)

func TestPreflight(t *testing.T) {
	web := fields{"Origin", "https://web.example", "Access-Control-Request-Method", "DELETE"}
	refused := fields{"Vary", preflightVary}

	for name, test := range map[string]struct {
		config  string
		request fields
		want    fields
	}{
		"CORS-1: answered without Access-Control-Request-Headers": {
			named, web,
			fields{"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Allow-Methods", "DELETE"},
		},
		"CORS-4: the default allows Authorization by name": {
			named, slices.Concat(web, fields{"Access-Control-Request-Headers", "authorization,dpop,mcp-protocol-version"}),
			fields{
				"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example",
				"Access-Control-Allow-Methods", "DELETE", "Access-Control-Allow-Headers", "authorization,dpop,mcp-protocol-version",
			},
		},
		"CORS-4: a list of fields, in any case and order": {
			`{"origins": ["https://web.example"], "headers": ["Authorization", "Content-Type"]}`,
			slices.Concat(web, fields{"Access-Control-Request-Headers", "Content-Type, authorization"}),
			fields{
				"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example",
				"Access-Control-Allow-Methods", "DELETE", "Access-Control-Allow-Headers", "Content-Type, authorization",
			},
		},
		"CORS-4: a field that is not listed": {
			`{"origins": ["https://web.example"], "headers": ["Content-Type"]}`,
			slices.Concat(web, fields{"Access-Control-Request-Headers", "authorization,content-type"}),
			refused,
		},
		"CORS-3: a method that is not listed": {
			`{"origins": ["https://web.example"], "methods": ["GET"]}`, web, refused,
		},
		"CORS-3: GET, where only others are listed": {
			`{"origins": ["https://web.example"], "methods": ["POST"]}`,
			fields{"Origin", "https://web.example", "Access-Control-Request-Method", "GET"}, refused,
		},
		"CORS-3: DELETE, where only others are listed": {
			`{"origins": ["https://web.example"], "methods": ["POST"]}`, web, refused,
		},
		"CORS-4: any field": {
			`{"origins": ["https://web.example"], "headers": ["*"]}`,
			slices.Concat(web, fields{"Access-Control-Request-Headers", "authorization"}),
			fields{
				"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example",
				"Access-Control-Allow-Methods", "DELETE", "Access-Control-Allow-Headers", "authorization",
			},
		},
		"CORS-1: GET brings HEAD with it": {
			`{"origins": ["https://web.example"], "methods": ["GET"]}`,
			fields{"Origin", "https://web.example", "Access-Control-Request-Method", "HEAD"},
			fields{"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Allow-Methods", "HEAD"},
		},
		"CORS-7: credentials and max_age": {
			`{"origins": ["https://web.example"], "credentials": true, "max_age": "10m"}`, web,
			fields{
				"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Allow-Methods", "DELETE",
				"Access-Control-Allow-Credentials", "true", "Access-Control-Max-Age", "600",
			},
		},
		"CORS-8: the origin * adds no Vary": {
			static, web,
			fields{"Access-Control-Allow-Origin", "*", "Access-Control-Allow-Methods", "DELETE"},
		},
		"CORS-8: an origin that is not listed": {
			credentials, fields{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, refused,
		},
		"CORS-8: null is not reflected": {
			credentials, fields{"Origin", "null", "Access-Control-Request-Method", "GET"}, refused,
		},
		"CORS-11: nothing about private networks": {
			named, slices.Concat(web, fields{"Access-Control-Request-Private-Network", "true"}),
			fields{"Vary", preflightVary, "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Allow-Methods", "DELETE"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			recorder.Header().Set("Access-Control-Allow-Origin", "https://left.example") // by a handler before
			request := httptest.NewRequest(http.MethodOptions, "/", nil)
			request.Header = test.request.header()
			handler := load(t, provision(t, withApp), test.config)

			err := handler.ServeHTTP(recorder, prepare(request, recorder), caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				t.Error("the preflight went on")
				return nil
			}))
			if err != nil || recorder.Code != http.StatusNoContent {
				t.Errorf("got %d, %v", recorder.Code, err)
			}
			compare(t, recorder.Header(), test.want.header())
		})
	}
}

func TestActualRequest(t *testing.T) {
	granted := fields{"Vary", "Origin", "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Expose-Headers", exposed}
	refused := fields{"Vary", "Origin"}

	for name, test := range map[string]struct {
		config  string
		method  string
		request fields
		want    fields
		trusted bool
	}{
		"CORS-6: what a refusal carries can be read": {
			named, "GET", fields{"Origin", "https://web.example"}, granted, false,
		},
		"CORS-6: configured fields are added once": {
			`{"origins": ["https://web.example"], "expose": ["X-Request-Id", "www-authenticate", "x-request-id"]}`,
			"GET", fields{"Origin", "https://web.example"},
			fields{"Vary", "Origin", "Access-Control-Allow-Origin", "https://web.example", "Access-Control-Expose-Headers", exposed + ", X-Request-Id"}, false,
		},
		"CORS-6: * and still the four by name": {
			`{"origins": ["*"], "expose": ["*"]}`, "GET", fields{"Origin", "https://web.example"},
			fields{"Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", exposed + ", *"}, false,
		},
		"CORS-7: credentials": {
			credentials, "GET", fields{"Origin", "https://web.example"},
			slices.Concat(granted, fields{"Access-Control-Allow-Credentials", "true"}), true,
		},
		"CORS-7: a method that is not listed": {
			`{"origins": ["https://web.example"], "credentials": true, "methods": ["GET"]}`,
			"POST", fields{"Origin", "https://web.example"}, refused, false,
		},
		"CORS-8: no origin":                             {credentials, "GET", nil, refused, false},
		"CORS-8: another origin":                        {credentials, "GET", fields{"Origin", "https://web.example.evil.example"}, refused, false},
		"CORS-8: another port":                          {credentials, "GET", fields{"Origin", "https://web.example:8443"}, refused, false},
		"CORS-8: another scheme":                        {credentials, "GET", fields{"Origin", "http://web.example"}, refused, false},
		"CORS-8: null":                                  {credentials, "GET", fields{"Origin", "null"}, refused, false},
		"CORS-8: two origins, one of them allowed":      {credentials, "GET", fields{"Origin", "https://web.example", "Origin", "https://evil.example"}, refused, false},
		"CORS-8: the origin * adds no Vary":             {static, "GET", fields{"Origin", "https://web.example"}, fields{"Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", exposed}, false},
		"CORS-8: the origin * and a request without":    {static, "GET", nil, nil, false},
		"CORS-2: OPTIONS with Origin alone":             {named, "OPTIONS", fields{"Origin", "https://web.example"}, granted, false},
		"CORS-2: OPTIONS without Origin":                {named, "OPTIONS", fields{"Access-Control-Request-Method", "GET"}, refused, false},
		"CORS-2: a GET in the clothes of a preflight":   {named, "GET", fields{"Origin", "https://web.example", "Access-Control-Request-Method", "GET"}, granted, false},
		"CORS-2: with a token":                          lookalike("Authorization", "Bearer x", granted),
		"CORS-2: with an empty Authorization":           lookalike("Authorization", "", granted),
		"CORS-2: with a credential for a proxy":         lookalike("Proxy-Authorization", "Basic x", granted),
		"CORS-2: with a DPoP proof":                     lookalike("DPoP", "x", granted),
		"CORS-2: with a cookie":                         lookalike("Cookie", "session=x", granted),
		"CORS-2: with an API key":                       lookalike("X-API-Key", "x", granted),
		"CORS-2: with X-HTTP-Method-Override":           lookalike("X-HTTP-Method-Override", "DELETE", granted),
		"CORS-2: with X-HTTP-Method":                    lookalike("X-HTTP-Method", "DELETE", granted),
		"CORS-2: with X-Method-Override":                lookalike("X-Method-Override", "DELETE", granted),
		"CORS-2: with two requested methods":            lookalike("Access-Control-Request-Method", "PUT", granted),
		"CORS-2: with a WebSocket":                      lookalike("Upgrade", "websocket", granted),
		"CORS-2: without the requested method":          {named, "OPTIONS", fields{"Origin", "https://web.example", "Access-Control-Request-Method", ""}, granted, false},
		"CORS-2: with the credential of a named scheme": lookalike("X-Partner", "x", granted),
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(test.method, "/", nil)
			request.Header = test.request.header()
			request = prepare(request, recorder)
			handler := load(t, provision(t, withApp), test.config)

			passed := false
			err := handler.ServeHTTP(recorder, request, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				passed = true
				if !reflect.DeepEqual(r.Header, test.request.header()) {
					t.Errorf("the request went on as %v", r.Header)
				}
				compare(t, w.Header(), test.want.header())
				w.WriteHeader(http.StatusTeapot)
				return nil
			}))
			if err != nil || !passed || recorder.Code != http.StatusTeapot {
				t.Errorf("got %d, %v, went on: %t", recorder.Code, err, passed)
			}
			compare(t, recorder.Header(), test.want.header())
			if got := cors.TrustedOrigin(request); got != test.trusted {
				t.Errorf("the origin is trusted: %t", got)
			}
		})
	}
}

// lookalike is a preflight but for one field.
func lookalike(name, value string, want fields) (test struct {
	config  string
	method  string
	request fields
	want    fields
	trusted bool
}) {
	test.config, test.method, test.want = named, "OPTIONS", want
	test.request = fields{"Origin", "https://web.example", "Access-Control-Request-Method", "GET", name, value}
	return test
}

func TestWildcardLabel(t *testing.T) {
	handler := load(t, provision(t, withoutApp), `{"origins": ["https://*.example.com:8443", "http://localhost:3000"], "credentials": true}`)
	for origin, allowed := range map[string]bool{
		"https://app.example.com:8443":        true,
		"http://localhost:3000":               true,
		"https://example.com:8443":            false,
		"https://.example.com:8443":           false,
		"https://a.b.example.com:8443":        false,
		"https://app.example.com":             false,
		"http://app.example.com:8443":         false,
		"https://evil.test/.example.com:8443": false,
		"https://u@evil.example.com:8443":     false,
		"https://*.example.com:8443":          false,
		"https://badexample.com:8443":         false,
		"https://app.example.com:84433":       false,
		"HTTPS://APP.EXAMPLE.COM:8443":        false,
	} {
		t.Run("CORS-8: "+origin, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Origin", origin)
			request = prepare(request, recorder)
			if err := handler.ServeHTTP(recorder, request, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })); err != nil {
				t.Fatal(err)
			}
			want := ""
			if allowed {
				want = origin
			}
			if got := recorder.Header().Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("allowed %q", got)
			}
			if got := cors.TrustedOrigin(request); got != allowed {
				t.Errorf("the origin is trusted: %t", got)
			}
		})
	}
}

func TestTrustedOriginNeedsTheHandler(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Origin", "https://web.example")
	if cors.TrustedOrigin(prepare(request, nil)) {
		t.Error("trusted by nobody")
	}
}

// An app that the configuration does not name is created by the gate, which is
// provisioned after this handler.
func TestAppCreatedLater(t *testing.T) {
	ctx := provision(t, withoutApp)
	handler := load(t, ctx, named)
	if _, err := ctx.App("auth"); err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodOptions, "/", nil)
	request.Header = fields{"Origin", "https://web.example", "Access-Control-Request-Method", "GET", "X-Partner", "x"}.header()
	passed := false
	err := handler.ServeHTTP(recorder, prepare(request, recorder), caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		passed = true
		return nil
	}))
	if err != nil || !passed {
		t.Errorf("CORS-2: a credential passed for a preflight: %v", err)
	}
}

func TestDocumentsReadableByAll(t *testing.T) {
	handler := load(t, provision(t, withApp), credentials)
	send := func(t *testing.T, method string, next func(http.ResponseWriter, *http.Request) error) http.Header {
		t.Helper()
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(method, "/document", nil)
		request.Header = fields{"Origin", "https://inspector.example", "Access-Control-Request-Method", "GET"}.header()
		_ = handler.ServeHTTP(recorder, prepare(request, recorder), caddyhttp.HandlerFunc(next))
		return recorder.Header()
	}
	answer := func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	document := func(w http.ResponseWriter, r *http.Request) error {
		caddyhttp.SetVar(r.Context(), cors.PublicDocumentVar, true)
		return answer(w, r)
	}
	t.Run("CORS-10: a document keeps its fields", func(t *testing.T) {
		compare(t, send(t, http.MethodGet, document), fields{"Access-Control-Allow-Origin", "*"}.header())
	})
	t.Run("CORS-10: its preflight is answered before any upstream", func(t *testing.T) {
		compare(t, send(t, http.MethodOptions, func(http.ResponseWriter, *http.Request) error {
			t.Error("it went on")
			return nil
		}), fields{"Access-Control-Allow-Origin", "*"}.header())
	})
	t.Run("CORS-8: an upstream at such a path does not", func(t *testing.T) {
		compare(t, send(t, http.MethodGet, answer), fields{"Vary", "Origin"}.header())
	})
	t.Run("CORS-8: nor does an error there", func(t *testing.T) {
		compare(t, send(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			return errors.New("refused")
		}), fields{"Vary", "Origin"}.header())
	})
}

// upstream is the handler behind, with a CORS configuration of its own.
var upstream = fields{
	"Access-Control-Allow-Origin", "https://evil.example",
	"Access-Control-Allow-Credentials", "true",
	"Access-Control-Allow-Private-Network", "true",
	"Access-Control-Expose-Headers", "X-Upstream",
	"Vary", "Accept-Encoding, origin",
	"Vary", "Origin",
}

func TestResponse(t *testing.T) {
	granted := fields{
		"Vary", "Accept-Encoding", "Vary", "Origin",
		"Access-Control-Allow-Origin", "https://web.example", "Access-Control-Expose-Headers", exposed,
	}.header()
	refused := errors.New("refused")

	for name, test := range map[string]struct {
		next func(http.ResponseWriter) error
		want error
		code int
	}{
		"CORS-5: WriteHeader": {func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusUnauthorized)
			w.WriteHeader(http.StatusOK)
			return nil
		}, nil, 401},
		"CORS-5: Write": {func(w http.ResponseWriter) error {
			_, err := w.Write([]byte("x"))
			return err
		}, nil, 200},
		"CORS-5: ReadFrom": {func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			return err
		}, nil, 200},
		"CORS-5: Flush":                       {func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }, nil, 200},
		"CORS-5: an error":                    {func(http.ResponseWriter) error { return refused }, refused, 200},
		"CORS-5: nothing, left to the server": {func(http.ResponseWriter) error { return nil }, nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Origin", "https://web.example")
			handler := load(t, provision(t, withoutApp), named)
			err := handler.ServeHTTP(recorder, prepare(request, recorder), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				for field, values := range upstream.header() {
					for _, value := range values {
						w.Header().Add(field, value)
					}
				}
				return test.next(w)
			}))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			response := recorder.Result()
			if response.StatusCode != test.code {
				t.Errorf("got %d", response.StatusCode)
			}
			response.Header.Del("Content-Type")
			compare(t, response.Header, granted)
		})
	}
}

// The values are copies: what a handler does to them in place stays there.
func TestAnswersAreNotShared(t *testing.T) {
	handler := load(t, provision(t, withoutApp), static)
	for range 2 {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Origin", "https://web.example")
		err := handler.ServeHTTP(recorder, prepare(request, recorder), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			compare(t, w.Header(), fields{"Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", exposed}.header())
			w.Header()["Access-Control-Allow-Origin"][0] = "https://evil.example"
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// serve runs the handler on a real connection.
func serve(t *testing.T, handler caddyhttp.MiddlewareHandler, next caddyhttp.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handler.ServeHTTP(w, prepare(r, w), next); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestReverseProxy(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), upstream.header())
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer backend.Close()
	ctx := provision(t, withoutApp)
	proxy, err := ctx.LoadModuleByID("http.handlers.reverse_proxy", json.RawMessage(`{"upstreams": [{"dial": "`+backend.Listener.Addr().String()+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, load(t, ctx, named), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return proxy.(caddyhttp.MiddlewareHandler).ServeHTTP(w, r, nil)
	}))

	request, _ := http.NewRequest(http.MethodGet, server.URL, nil)
	request.Header.Set("Origin", "https://web.example")
	var hinted http.Header
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			hinted = http.Header(header)
			return nil
		},
	}))
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTeapot {
		t.Errorf("got %d", response.StatusCode)
	}
	for phase, header := range map[string]http.Header{"103": hinted, "418": response.Header} {
		for field, want := range map[string][]string{
			"Access-Control-Allow-Origin":          {"https://web.example"},
			"Access-Control-Allow-Credentials":     nil,
			"Access-Control-Allow-Private-Network": nil,
			"Access-Control-Expose-Headers":        {exposed},
			"Vary":                                 {"Accept-Encoding", "Origin"},
		} {
			if got := header[field]; !slices.Equal(got, want) {
				t.Errorf("CORS-5: %s: %s: %q", phase, field, got)
			}
		}
	}
}

// statuses is a ResponseWriter that notes what it is told.
type statuses struct {
	http.ResponseWriter
	written []int
}

func (s *statuses) WriteHeader(status int) { s.written = append(s.written, status) }

func TestStatuses(t *testing.T) {
	for name, test := range map[string]struct{ written, want []int }{
		"CORS-5: hints come before the header": {[]int{103, 103, 401, 200}, []int{103, 103, 401}},
		"CORS-12: nothing comes after 101":     {[]int{103, 101, 200}, []int{103, 101}},
	} {
		t.Run(name, func(t *testing.T) {
			writer := &statuses{ResponseWriter: httptest.NewRecorder()}
			request := prepare(httptest.NewRequest(http.MethodGet, "/", nil), writer)
			err := load(t, provision(t, withoutApp), named).ServeHTTP(writer, request, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				for _, status := range test.written {
					w.WriteHeader(status)
				}
				return nil
			}))
			if err != nil || !slices.Equal(writer.written, test.want) {
				t.Errorf("got %v, %v", writer.written, err)
			}
		})
	}
}

func TestSwitchingProtocols(t *testing.T) {
	server := serve(t, load(t, provision(t, withoutApp), named), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer connection.Close()
		line, err := buffered.ReadString('\n')
		if err != nil {
			return err
		}
		_, err = io.WriteString(connection, line)
		return err
	}))
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\nOrigin: https://web.example\r\n\r\nhello\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Values("Access-Control-Allow-Origin"); response.StatusCode != 101 || !slices.Equal(got, []string{"https://web.example"}) {
		t.Errorf("CORS-12: got %d with %q", response.StatusCode, got)
	}
	if line, err := reader.ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("CORS-12: the connection says %q, %v", line, err)
	}
}

func compare(t *testing.T, got, want http.Header) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("header fields\n got %v\nwant %v", got, want)
	}
}
