package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/bench/serve"
)

// object is a JSON object of a configuration.
type object = map[string]any

// chain is a provisioned route, asked in this process.
type chain struct {
	handler caddyhttp.Handler
}

// newChain provisions handlers with an app, as Caddy does for a server.
func newChain(app object, handlers ...object) (*chain, error) {
	apps := caddy.ModuleMap{}
	for name, value := range map[string]any{
		"auth": app,
		"http": object{"servers": object{"s": object{"listen": []string{"127.0.0.1:0"}, "routes": []object{{"handle": handlers}}}}},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		apps[name] = text
	}
	quiet := &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}}
	ctx, err := caddy.ProvisionContext(&caddy.Config{AppsRaw: apps, Logging: quiet, Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		return nil, err
	}
	server, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	return &chain{handler: server.(*caddyhttp.App).Servers["s"].Routes.Compile(next)}, nil
}

// serve sends a request with a token.
func (c *chain) serve(w *httptest.ResponseRecorder, token string) error {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = []string{"Bearer " + token}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	if err := c.handler.ServeHTTP(w, r); err != nil {
		return err
	}
	if w.Code != http.StatusOK {
		return fmt.Errorf("the answer is %d", w.Code)
	}
	return nil
}

// request is the work of one request, for [timed].
func (c *chain) request(token string) func() error {
	w := httptest.NewRecorder()
	return func() error { return c.serve(w, token) }
}

// processorTime is what one call takes of the processors in ns, with its share of
// collecting garbage: the process does nothing else, on one processor.
func processorTime(work func() error, times int) (float64, error) {
	before := serve.Processor()
	for range times {
		if err := work(); err != nil {
			return 0, err
		}
	}
	return float64(serve.Processor()-before) / float64(times), nil
}

// inTurn returns what several kinds of work take, in ns, measured in turn.
func inTurn(o options, works ...func() error) (all []figures, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all = make([]figures, len(works))
	times := make([]int, len(works))
	for i, work := range works { // warms up, too
		times[i] = 1
		for spent := 0.0; spent < float64(o.time)/10; times[i] *= 2 {
			one, err := processorTime(work, times[i])
			if err != nil {
				return nil, err
			}
			spent = one * float64(times[i])
		}
	}
	for range o.launches * o.pairs {
		for i, work := range works {
			one, err := processorTime(work, times[i])
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], one)
		}
	}
	return all, nil
}

// combined are figures of the same turn, combined.
func combined(with func(round int) float64, rounds int) figures {
	all := make(figures, rounds)
	for turn := range all {
		all[turn] = with(turn)
	}
	return all
}

// scheme is a bearer scheme for the tokens of the signers.
func scheme(keys *signers, issuer string, more object) object {
	all := object{"scheme": "bearer", "issuer": issuer, "audiences": []string{audience}, "key_files": []string{keys.file}}
	maps.Copy(all, more)
	return all
}

// passThrough is a handler that does nothing, in the place of the gate.
var passThrough = object{"handler": "request_body"}

func gateFor(schemes ...string) object { return object{"handler": "require_auth", "schemes": schemes} }

// measureParts prints what one request costs in this process.
func measureParts(out io.Writer, o options, keys *signers) error {
	tableHead(out, "part", "figure", "bound", "measured", "middle half")
	for _, part := range []struct {
		name    string
		measure func(io.Writer, options, string, *signers) error
	}{
		{"the handler alone, warm", measureHandler},
		{"a new token", measureNew},
		{"1,000 of a kind", measureScale},
		{"fields of a request", measureFields},
	} {
		if !strings.Contains(part.name, o.only) {
			continue
		}
		if err := part.measure(out, o, part.name, keys); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func one(keys *signers, more object) object {
	return object{"schemes": object{"corp": scheme(keys, issuer, more)}}
}

func measureHandler(out io.Writer, o options, name string, keys *signers) error {
	bare, err := newChain(one(keys, nil), passThrough)
	if err != nil {
		return err
	}
	gated, err := newChain(one(keys, nil), gateFor("corp"))
	if err != nil {
		return err
	}
	token := keys.token(jwa.RS256, 1)
	all, err := inTurn(o, bare.request(token), gated.request(token))
	if err != nil {
		return err
	}
	more := combined(func(turn int) float64 { return all[1][turn] - all[0][turn] }, len(all[0]))
	limit := nanos(900)
	tableLine(out, name, "more than the chain without it", limit, limit.show(more.median()), more.half("%.0f"))
	count := func(c *chain) float64 { return testing.AllocsPerRun(1000, func() { _ = c.request(token)() }) }
	limit = bound{3, "%.0f", ""}
	tableLine(out, "", "allocations", limit, limit.show(count(gated)-count(bare)), "")
	return nil
}

// measureNew compares a token that is not cached with the check of its signature by
// the standard library.
func measureNew(out io.Writer, o options, name string, keys *signers) error {
	bare, err := newChain(one(keys, nil), passThrough)
	if err != nil {
		return err
	}
	gated, err := newChain(one(keys, object{"token_cache": 0}), gateFor("corp"))
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		token := keys.token(algorithm, 1)
		check, err := signatureCheck(keys, algorithm, token)
		if err != nil {
			return err
		}
		checking := func() error {
			if !check() {
				return errors.New("the signature is wrong")
			}
			return nil
		}
		all, err := inTurn(o, bare.request(token), gated.request(token), checking)
		if err != nil {
			return err
		}
		times := combined(func(turn int) float64 { return (all[1][turn] - all[0][turn]) / all[2][turn] }, len(all[0]))
		limit := ratio(1.2)
		tableLine(out, name+", "+algorithm.String(), "times the bare signature check", limit, limit.show(times.median()), times.half("%.2f"))
	}
	return nil
}

// signatureCheck returns the check of a signature over the signed part of a token, by the
// standard library.
func signatureCheck(keys *signers, algorithm jwa.SignatureAlgorithm, token string) (func() bool, error) {
	var raw any
	if err := keys.keys[algorithm].Raw(&raw); err != nil {
		return nil, err
	}
	message := []byte(token[:strings.LastIndexByte(token, '.')])
	digest := sha256.Sum256(message)
	switch key := raw.(type) {
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		return func() bool {
			digest := sha256.Sum256(message)
			return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) == nil
		}, err
	case *ecdsa.PrivateKey:
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return func() bool {
			digest := sha256.Sum256(message)
			return ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature)
		}, err
	case ed25519.PrivateKey:
		signature := ed25519.Sign(key, message)
		return func() bool { return ed25519.Verify(key.Public().(ed25519.PublicKey), message, signature) }, nil
	default:
		return nil, fmt.Errorf("no check for %T", raw)
	}
}

// measureScale compares one of a kind with a thousand.
func measureScale(out io.Writer, o options, _ string, keys *signers) error {
	const thousand = 1000
	many, names, tenants := object{}, []string{}, []string{}
	for i := range thousand {
		name := fmt.Sprintf("tenant-%04d", i)
		many[name] = scheme(keys, fmt.Sprintf("https://idp.example.com/%d", i), nil)
		names = append(names, name)
		tenants = append(tenants, tenant(i))
	}
	many["corp"] = scheme(keys, issuer, nil)
	all := object{"schemes": many}
	template := func(tenants ...string) object {
		return object{"schemes": object{"corp": scheme(keys, tenantIssuer, object{"tenants": tenants})}}
	}
	ofOne, ofTenant := keys.token(jwa.RS256, 1), keys.ofTenant(tenant(7))
	for _, test := range []struct {
		kind      string
		token     string
		one, many object
		gate      object
	}{
		{"1,000 issuers declared, against one", ofOne, one(keys, nil), all, gateFor("corp")},
		{"1,000 issuers accepted by one gate, against one", ofOne, one(keys, nil), all, gateFor(append(names, "corp")...)},
		{"1,000 tenants of one scheme, against one", ofTenant, template(tenant(7)), template(tenants...), gateFor("corp")},
	} {
		bare, err := newChain(test.one, passThrough)
		if err != nil {
			return err
		}
		alone, err := newChain(test.one, gateFor("corp"))
		if err != nil {
			return err
		}
		among, err := newChain(test.many, test.gate)
		if err != nil {
			return err
		}
		costs, err := inTurn(o, bare.request(test.token), alone.request(test.token), among.request(test.token))
		if err != nil {
			return fmt.Errorf("%s: %w", test.kind, err)
		}
		times := combined(func(turn int) float64 { return (costs[2][turn] - costs[0][turn]) / (costs[1][turn] - costs[0][turn]) }, len(costs[0]))
		limit := ratio(1.1)
		tableLine(out, test.kind, "times the cost of one", limit, limit.show(times.median()), times.half("%.2f"))
	}
	return nil
}

const tenantIssuer = "https://login.example.com/{tenantid}/v2.0"

func tenant(number int) string { return fmt.Sprintf("5f0c6a2e-31d7-4c0e-9b1f-%012d", number) }
