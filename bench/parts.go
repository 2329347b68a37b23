package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/lestrrat-go/jwx/v2/jwa"
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

// bench asks with a token until it is sure how long that takes.
func (c *chain) bench(token string) testing.BenchmarkResult {
	return testing.Benchmark(func(b *testing.B) { c.ask(b, token) })
}

// ask is the benchmark of one request.
func (c *chain) ask(b *testing.B, token string) {
	b.ReportAllocs()
	w := httptest.NewRecorder()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + token}
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
		if err := c.handler.ServeHTTP(w, r); err != nil || w.Code != http.StatusOK {
			b.Fatal(w.Code, err)
		}
	}
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
func measureParts(out io.Writer, o options, keys *signers) {
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
			fmt.Fprintf(out, "%s\t%v\t\t\t\t\n", part.name, err)
		}
	}
}

func one(keys *signers, more object) object {
	return object{"schemes": object{"corp": scheme(keys, issuer, more)}}
}

// pairs measures two chains in turn and returns what the second costs more, in
// ns, sorted, and in allocations.
func pairs(o options, token string, without, with *chain) (more []float64, allocations int64) {
	for range max(3, o.pairs/3) {
		a, b := without.bench(token), with.bench(token)
		more = append(more, float64(b.NsPerOp()-a.NsPerOp()))
		allocations = b.AllocsPerOp() - a.AllocsPerOp()
	}
	slices.Sort(more)
	return more, allocations
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
	more, allocations := pairs(o, keys.token(jwa.RS256, 1), bare, gated)
	fmt.Fprintf(out, "%s\tns more\t< 1000\t%.0f\t%.0f to %.0f\t\n", name, more[len(more)/2], more[0], more[len(more)-1])
	fmt.Fprintf(out, "%s\tallocations more\t≤ 3\t%d\t\t\n", name, allocations)
	return nil
}

// measureNew compares a token that is not remembered with the check of its
// signature by the standard library.
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
		check, err := signatureCheck(keys, algorithm)
		if err != nil {
			return err
		}
		var ratios []float64
		for range max(3, o.pairs/3) {
			alone := testing.Benchmark(func(b *testing.B) {
				for b.Loop() {
					if !check() {
						b.Fatal("the signature is wrong")
					}
				}
			})
			more, _ := pairs(options{}, token, bare, gated)
			ratios = append(ratios, more[len(more)/2]/float64(alone.NsPerOp()))
		}
		slices.Sort(ratios)
		fmt.Fprintf(out, "%s, %s\ttimes the bare signature check\t≤ 1.3\t%.2f\t%.2f to %.2f\t\n",
			name, algorithm, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
	return nil
}

// signatureCheck returns the check of a signature by the standard library.
func signatureCheck(keys *signers, algorithm jwa.SignatureAlgorithm) (func() bool, error) {
	var raw any
	if err := keys.keys[algorithm].Raw(&raw); err != nil {
		return nil, err
	}
	message := claims(1, 0)
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
func measureScale(out io.Writer, o options, name string, keys *signers) error {
	const thousand = 1000
	token := keys.token(jwa.RS256, 1)
	bare, err := newChain(one(keys, nil), passThrough)
	if err != nil {
		return err
	}
	alone, err := newChain(one(keys, nil), gateFor("corp"))
	if err != nil {
		return err
	}
	many, names := object{}, []string{}
	for i := range thousand {
		name := fmt.Sprintf("tenant-%04d", i)
		many[name] = scheme(keys, fmt.Sprintf("https://idp.example.com/%d", i), nil)
		names = append(names, name)
	}
	many["corp"] = scheme(keys, issuer, nil)
	declared, err := newChain(object{"schemes": many}, gateFor("corp"))
	if err != nil {
		return err
	}
	accepted, err := newChain(object{"schemes": many}, gateFor(append(names, "corp")...))
	if err != nil {
		return err
	}
	for _, test := range []struct {
		kind string
		with *chain
	}{{"issuers declared", declared}, {"issuers accepted by one gate", accepted}} {
		base, _ := pairs(o, token, bare, alone)
		more, _ := pairs(o, token, bare, test.with)
		fmt.Fprintf(out, "%s: %s\ttimes the cost of one\t≤ 1.1\t%.2f\t\t\n", name, test.kind, more[len(more)/2]/base[len(base)/2])
	}
	return nil
}
