package requireauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/dryrun"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// question is the request to explain, or a token alone.
type question struct {
	Method string
	URL    string
	Header http.Header
	Token  string
	Scheme string
	Body   string

	// Certificate is what the client shows, as PEM: its certificate first, and
	// then those that vouch for it.
	Certificate string
}

// explainFor bounds how long an explanation takes; maxExplanations bounds how
// many are made at once.
const (
	explainFor      = 20 * time.Second
	maxExplanations = 4
)

var explaining = make(chan struct{}, maxExplanations)

// explainRequest answers `POST /auth/explain`.
func explainRequest(app *App, r *http.Request) (any, error) {
	members, err := readMembers(r, "method", "url", "headers", "token", "scheme", "certificate")
	if err != nil {
		return nil, err
	}
	q, err := questionOf(members)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	running, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return nil, apiError(http.StatusNotFound, errors.New("the running configuration has no HTTP servers"))
	}
	select {
	case explaining <- struct{}{}:
		defer func() { <-explaining }()
	default:
		return nil, apiError(http.StatusServiceUnavailable, errors.New("other explanations are being made: try again"))
	}
	explained, err := newExplainer(app, running.(*caddyhttp.App)).explain(r.Context(), q)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err)
	}
	return explained, nil
}

// questionOf reads a question. Errors name the member and repeat nothing of it.
func questionOf(members map[string]any) (question, error) {
	q := question{Header: make(http.Header)}
	for name, target := range q.texts() {
		value, present := members[name]
		if !present {
			continue
		}
		text, ok := value.(string)
		if !ok || text == "" {
			return q, fmt.Errorf("invalid %s: write a string that is not empty", name)
		}
		*target = text
	}
	headers, ok := members["headers"].(map[string]any)
	if _, present := members["headers"]; present && !ok {
		return q, errors.New("headers is not an object")
	}
	for name, value := range headers {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, value := range values {
			text, ok := value.(string)
			if !ok {
				return q, errors.New("headers has something else than strings and lists of strings")
			}
			q.Header.Add(name, text)
		}
	}
	return q, q.check()
}

// texts are the members that are strings.
func (q *question) texts() map[string]*string {
	return map[string]*string{"method": &q.Method, "url": &q.URL, "token": &q.Token, "scheme": &q.Scheme, "certificate": &q.Certificate}
}

func (q question) check() error {
	switch {
	case q.URL == "" && q.Token == "":
		return errors.New("url and token are both missing: describe a request or give a token")
	case q.URL == "" && (q.Method != "" || len(q.Header) > 0 || q.Certificate != ""):
		return errors.New("url is missing")
	case q.URL != "" && q.Scheme != "":
		return errors.New("scheme goes with a token alone: the gates of a request say which schemes they accept")
	case q.Token != "" && q.Header.Get("Authorization") != "":
		return errors.New("token and headers both have a token: give one")
	}
	return nil
}

// explainer explains requests to the servers of a configuration.
type explainer struct {
	app     *App
	servers *caddyhttp.App
	at      map[*RequireAuth]string
	dry     map[string]*caddyhttp.Server // by name, once a request comes there
}

func newExplainer(app *App, servers *caddyhttp.App) *explainer {
	return &explainer{app: app, servers: servers, at: positionsIn(servers), dry: make(map[string]*caddyhttp.Server)}
}

// explain takes a request through the routes of an app without reaching what is
// behind them, or has schemes judge a token.
func (x *explainer) explain(ctx context.Context, q question) (*Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, explainFor)
	defer cancel()
	explained := new(Explanation)
	if q.URL == "" {
		return explained, explained.explainToken(ctx, x.app, q)
	}
	r, err := q.request(ctx)
	if err != nil {
		return nil, err
	}
	name, server, err := serverFor(x.servers, r.URL)
	if err != nil {
		return nil, err
	}
	if x.dry[name] == nil {
		if x.dry[name], err = dryrun.Server(server); err != nil {
			return nil, err
		}
	}
	explained.Request, explained.Server = r.Method+" "+withoutQuery(r.URL), name
	explained.walk(r, x.dry[name])
	for i := range explained.Gates {
		explained.Gates[i].Config = x.at[explained.Gates[i].gate]
	}
	explained.mask(q)
	return explained, nil
}

// request makes the request that is asked about.
func (q question) request(ctx context.Context) (*http.Request, error) {
	address, err := url.Parse(q.URL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, errors.New("invalid url: write a URL of http or https with a host")
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(q.Method, http.MethodGet), q.URL, strings.NewReader(q.Body))
	if err != nil {
		return nil, errors.New("invalid method")
	}
	r.Header = q.Header.Clone()
	if q.Token != "" {
		r.Header.Set("Authorization", "Bearer "+q.Token)
	}
	r.URL = &url.URL{Path: address.Path, RawPath: address.RawPath, RawQuery: address.RawQuery}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	r.URL.Scheme, r.URL.Host = address.Scheme, address.Host
	r.TLS, err = q.connection(address)
	return r, err
}

// connection returns the TLS state of the request. A certificate counts as verified by
// Caddy, because only a connection shows whether Caddy verifies it. A scheme with a
// trust pool still verifies it.
func (q question) connection(address *url.URL) (*tls.ConnectionState, error) {
	if address.Scheme != "https" {
		if q.Certificate != "" {
			return nil, errors.New("certificate goes with a URL of https")
		}
		return nil, nil
	}
	state := &tls.ConnectionState{HandshakeComplete: true, ServerName: address.Hostname()}
	if q.Certificate == "" {
		return state, nil
	}
	sent, err := textfile.Certificates([]byte(q.Certificate))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	state.PeerCertificates, state.VerifiedChains = sent, [][]*x509.Certificate{sent}
	return state, nil
}

func withoutQuery(address *url.URL) string {
	return address.Scheme + "://" + address.Host + address.EscapedPath()
}

// serverFor finds the server that listens on the port of a URL.
func serverFor(app *caddyhttp.App, address *url.URL) (string, *caddyhttp.Server, error) {
	text := address.Port()
	if text == "" {
		standard := map[string]int{"http": cmp.Or(app.HTTPPort, caddyhttp.DefaultHTTPPort), "https": cmp.Or(app.HTTPSPort, caddyhttp.DefaultHTTPSPort)}
		text = strconv.Itoa(standard[address.Scheme])
	}
	port, _ := strconv.ParseUint(text, 10, 16)
	var listening []string
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		for _, listen := range app.Servers[name].Listen {
			at, err := caddy.ParseNetworkAddress(listen)
			if err == nil && at.StartPort <= uint(port) && uint(port) <= at.EndPort {
				return name, app.Servers[name], nil
			}
			listening = append(listening, listen)
		}
	}
	return "", nil, fmt.Errorf("url: no server listens on port %s, but on %s", text, strings.Join(listening, " "))
}

// walk takes the request through the routes.
func (e *Explanation) walk(r *http.Request, server *caddyhttp.Server) {
	ctx, walk := dryrun.Begin(r.Context())
	w := &recorder{header: http.Header{"Server": {"Caddy"}}}
	r.URL.Scheme, r.URL.Host = "", ""
	r = caddyhttp.PrepareRequest(r.WithContext(ctx), caddy.NewReplacer(), w, server)
	state := stateOf(r)
	state.explain(e)
	last := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	err := server.Routes.Compile(last).ServeHTTP(w, r)
	if err != nil {
		w.fail(server, r, err)
	}
	e.Reaches, e.Skipped = walk.Reached, walk.Skipped
	if walk.Reached == "" {
		e.Answer = w.answer()
	}
	for _, verified := range state.verified {
		e.secrets = append(e.secrets, verified.credential.Value)
	}
}

// explain has what follows noted.
func (s *requestState) explain(in *Explanation) {
	s.explained, s.request.Trace = in, new(trace.Trace)
}

// explainToken has schemes judge a token that came without a request.
func (e *Explanation) explainToken(ctx context.Context, app *App, q question) error {
	r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{"Authorization": {"Bearer " + q.Token}}}).WithContext(ctx)
	exists := false
	for _, scheme := range app.registry.allSchemes() {
		if q.Scheme != "" && scheme.name != q.Scheme {
			continue
		}
		exists = true
		request := authn.NewRequest(r)
		request.Trace = new(trace.Trace)
		request.Trace.SetScheme(scheme.name)
		credential, err := scheme.Find(request)
		if err != nil || !credential.Found() {
			continue
		}
		named := newNamedScheme(scheme.name, scheme.Scheme, app.store)
		outcome := named.checkRevocation(scheme.Verify(ctx, request, credential), request.Trace)
		explained := explainOutcome(scheme.name, credential, outcome)
		explained.Credential, explained.Checks = "", request.Trace.Take()
		e.Schemes = append(e.Schemes, explained)
	}
	switch {
	case !exists:
		return errors.New("scheme not found: write the name of a configured scheme")
	case len(e.Schemes) == 0:
		return errors.New("no scheme takes such a token")
	}
	e.mask(q)
	return nil
}
