package serve

import (
	"net/http"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/minio/highwayhash"
	"github.com/prometheus/client_golang/prometheus"
)

func init() {
	caddy.RegisterModule(new(least))
	httpcaddyfile.RegisterHandlerDirective("bench_least", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		l := new(least)
		return l, l.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_least", httpcaddyfile.After, "basic_auth")
}

// least is the least that a gate could do with a token that it has seen before: a digest
// and a lookup. With State it also keeps one value for the request, which the vars and a
// placeholder of Caddy give out, and counts. It checks and forwards nothing. It is here
// to show what no gate can be cheaper than.
type least struct {
	State bool `json:"state,omitempty"`
	seen  sync.Map
}

// caller is the value that least keeps for a request. It has the size of the state of
// a real gate.
type caller struct {
	name string
	_    [600]byte
}

// CaddyModule returns the Caddy module information.
func (*least) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_least", New: func() caddy.Module { return new(least) }}
}

// UnmarshalCaddyfile reads `bench_least [state]`.
func (l *least) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	l.State = d.NextArg()
	return nil
}

var (
	leastKey     [highwayhash.Size]byte
	leastCounter = prometheus.NewCounter(prometheus.CounterOpts{Name: "bench_least_total"})
)

// ServeHTTP lets every token pass.
func (l *least) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return caddyhttp.Error(http.StatusUnauthorized, nil)
	}
	name, _ := l.seen.LoadOrStore(highwayhash.Sum([]byte(token), leastKey[:]), "alice")
	if l.State {
		c := &caller{name: name.(string)}
		caddyhttp.SetVar(r.Context(), "bench_least", c)
		r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Map(func(key string) (any, bool) { return c.name, key == "bench.least" })
		leastCounter.Inc()
	}
	return next.ServeHTTP(w, r)
}
