package harness

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(rateLimit))
	httpcaddyfile.RegisterHandlerDirective("rate_limit", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		handler := new(rateLimit)
		return handler, handler.UnmarshalCaddyfile(h.Dispenser)
	})
}

// rateLimit stands in for the handler of github.com/mholt/caddy-ratelimit. It has the
// same name, directive and zones, and like it no place in Caddy's order of directives.
// Its windows never end.
type rateLimit struct {
	RateLimits map[string]*zone `json:"rate_limits,omitempty"`

	mutex  sync.Mutex
	events map[string]int // by zone and key
}

type zone struct {
	Key       string         `json:"key,omitempty"`
	Window    caddy.Duration `json:"window,omitempty"`
	MaxEvents int            `json:"max_events,omitempty"`
}

func (*rateLimit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.rate_limit", New: func() caddy.Module { return new(rateLimit) }}
}

func (l *rateLimit) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	l.RateLimits = make(map[string]*zone)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var name string
		if d.Val() != "zone" || !d.AllArgs(&name) {
			return d.ArgErr()
		}
		read := new(zone)
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			var value string
			line := d.Val()
			if !d.AllArgs(&value) {
				return d.ArgErr()
			}
			var err error
			switch line {
			case "key":
				read.Key = value
			case "window":
				var window time.Duration
				window, err = caddy.ParseDuration(value)
				read.Window = caddy.Duration(window)
			case "events":
				read.MaxEvents, err = strconv.Atoi(value)
			default:
				return d.ArgErr()
			}
			if err != nil {
				return d.WrapErr(err)
			}
		}
		l.RateLimits[name] = read
	}
	return nil
}

func (l *rateLimit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	replacer := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for name, zone := range l.RateLimits {
		if l.count(name+" "+replacer.ReplaceAll(zone.Key, "")) > zone.MaxEvents {
			w.Header().Set("Retry-After", strconv.Itoa(int(time.Duration(zone.Window).Seconds())))
			return caddyhttp.Error(http.StatusTooManyRequests, errors.New("rate limit exceeded"))
		}
	}
	return next.ServeHTTP(w, r)
}

func (l *rateLimit) count(key string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.events == nil {
		l.events = make(map[string]int)
	}
	l.events[key]++
	return l.events[key]
}
