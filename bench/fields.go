package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// field is a part of a request, filled by repeating what costs most to read in
// it. HTTP/2 repeats a field from its table for a byte or two.
type field struct {
	name, unit string
	method     string
	more       []string // fields in pairs that make the gate read it
}

// put sets the field to so many bytes, and the others.
func (f field) put(r *http.Request, size int) {
	for i := 0; i < len(f.more); i += 2 {
		r.Header.Set(f.more[i], f.more[i+1])
	}
	value := strings.Repeat(f.unit, max(1, size/len(f.unit)))
	switch f.name {
	case "path":
		r.URL.Path, r.URL.RawPath = "/"+value, ""
	case "well-known path":
		r.URL.Path = "/.well-known/oauth-protected-resource/" + value
	case "query":
		r.URL.RawQuery = value
	case "token in the query":
		r.URL.RawQuery = "access_token=a&" + value
	case "token in a cookie":
		r.Header.Set("Cookie", "token=a;"+value)
	case "claims of a token":
		text := base64.RawURLEncoding.EncodeToString
		claims := `{"iss":"` + issuer + `","x":[` + value[:len(f.unit)*(len(value)*3/4/len(f.unit))] + `0]}`
		r.Header.Set("Authorization", "Bearer "+text([]byte(`{"alg":"ES256","kid":"key-ES256"}`))+"."+text([]byte(claims))+"."+text(make([]byte, 64)))
	case "header of a token":
		text := base64.RawURLEncoding.EncodeToString
		header := `{"alg":"ES256","x":[` + value[:len(f.unit)*(len(value)*3/4/len(f.unit))] + `0]}`
		r.Header.Set("Authorization", "Bearer "+text([]byte(header))+"."+text([]byte(`{}`))+"."+text(make([]byte, 64)))
	default:
		r.Header[http.CanonicalHeaderKey(f.name)] = []string{strings.TrimSuffix(f.prefix()+value, " ")}
	}
}

// prefix is what a field begins with, so that it is read on.
func (f field) prefix() string {
	switch f.name {
	case "Authorization":
		return "Bearer "
	case "Origin":
		return "https://"
	default:
		return ""
	}
}

// fields are all that a gate and its handlers read.
func fields() []field {
	var all []field
	add := func(name string, more []string, units ...string) {
		for _, unit := range units {
			all = append(all, field{name: name, unit: unit, method: http.MethodGet, more: more})
		}
	}
	add("Authorization", nil, "a", ",", " ,", ",a", ", a=", `,"`, ".", "é")
	add("claims of a token", nil, "0,", "{},", "[],", `{"":0},`, `"\u0041",`, "1e9,", "9007199254740993.0001e-290,", `"",`, "null,", `{"a":{"a":{"a":{}}}},`)
	add("header of a token", nil, "{},", `{"":0},`)
	add("X-API-Key", nil, "a")
	add("Cookie", nil, "a", ";", "=;", "a;", "token;", `token="";`)
	add("query", nil, "a", "&", "a&", "=&", "%61&", "%61%63%63%65%73%73%5f%74%6f%6b%65%6e%73&", "+&")
	add("token in the query", nil, "a", "&", "%61&")
	add("token in a cookie", nil, "a", ";", "a;")
	add("path", nil, "a", "/", "|", "%", "\x00", "é")
	add("well-known path", nil, "a", "/", "|", "%", "é/")
	add("Accept", nil, "a", ",", ";", "a;,", "*/*;q=0.1,", "a;;;,")
	add("Accept-Language", []string{"Accept", "text/html"}, "a", ",", "ko;q=0.1,", "zz-zz-zz,", "en-u-co-phonebk,")
	add("Origin", nil, "a", ".", "a.web.example")
	add("X-Trace-Id", nil, "a", "{")
	add("Sec-Fetch-Mode", nil, "a")
	add("X-Requested-With", nil, "a")
	add("Connection", nil, "a", ",", "a,", "X-User,")
	add("Upgrade", nil, "a", ",", "a,", "h2c,")
	add("Content-Type", nil, "a", ";a=b", ";", "application/x-www-form-urlencoded;")
	add("Dpop", []string{"Authorization", "DPoP a.b.c"}, "a", ".")
	add("Mcp-Method", nil, "a")
	add("X-Forwarded-Host", nil, "a")
	preflight := []string{"Origin", "https://web.example", "Access-Control-Request-Method", "PUT"}
	for _, unit := range []string{"a", ",", "a,", "x-one,", " ,", "x-one, "} {
		all = append(all, field{name: "Access-Control-Request-Headers", unit: unit, method: http.MethodOptions, more: preflight})
	}
	return all
}

// fieldsChain has everything that reads a request, and a hundred schemes.
func fieldsChain(keys *signers, hide string) (*chain, error) {
	schemes := object{
		"corp": scheme(keys, issuer, object{"dpop": "optional", "token_from": []object{
			{"in": "header", "name": "Authorization"}, {"in": "query", "name": "access_token"}, {"in": "cookie", "name": "token"},
		}}),
		"ops":      object{"scheme": "basic", "users": []object{{"name": "alice", "hash": cheapHash}}},
		"partners": object{"scheme": "api_key", "from": []object{{"in": "header", "name": "X-API-Key"}, {"in": "query", "name": "api_key"}, {"in": "cookie", "name": "api_key"}}, "keys": []object{someKey(0)}},
	}
	for i := range 97 {
		schemes[fmt.Sprintf("more-%02d", i)] = object{"scheme": "api_key", "keys": []object{someKey(i)}, "from": []object{
			{"in": "query", "name": fmt.Sprintf("key_%d", i)}, {"in": "cookie", "name": fmt.Sprintf("key_%d", i)}, {"in": "header", "name": fmt.Sprintf("X-Key-%d", i)},
		}}
	}
	gate := gateFor("corp", "ops", "partners")
	gate["forward"] = object{"X-User": "{http.auth.user.id}"}
	gate["strip_credentials"] = true
	gate["hide"] = hide
	names := []string{"authorization"}
	for i := range 20 {
		names = append(names, fmt.Sprintf("x-%d", i))
	}
	return newChain(object{"schemes": schemes, "attempts": object{"off": true}},
		object{"handler": "auth_cors", "origins": []string{"https://web.example", "https://*.web.example"}, "headers": append(names, "x-one")},
		object{"handler": "protected_resource", "resources": []object{{"resource": "https://api.example.com/a"}}},
		gate,
	)
}

// cheapHash is a bcrypt hash of cost 4: what a hash costs is no matter of bytes.
const cheapHash = "$2a$04$cnpwpxjMFDRuRhrRuj2cCukzXhY6ZK5uFnFBqNqLbBoBwzJ7xwKzi"

func someKey(i int) object {
	return object{"id": fmt.Sprintf("key-%d", i), "digest": fmt.Sprintf("sha256:%064x", i+1)}
}

// cost is the least time of a request: the others were interrupted.
func (f field) cost(c *chain, size int) time.Duration {
	w, least := httptest.NewRecorder(), time.Hour
	for range 80 {
		r := httptest.NewRequest(f.method, "/", nil)
		f.put(r, size)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
		began := time.Now()
		_ = c.handler.ServeHTTP(w, r)
		least = min(least, time.Since(began))
	}
	return least
}

// measureFields prints what each field costs where HTTP/2 can repeat it, and
// how that grows.
func measureFields(out io.Writer, o options, _ string, keys *signers) error {
	plain, err := fieldsChain(keys, "")
	if err != nil {
		return err
	}
	hidden, err := fieldsChain(keys, "all")
	if err != nil {
		return err
	}
	type row struct {
		field
		bare, table, large time.Duration
	}
	var rows []row
	for _, f := range fields() {
		cost := func(size int) time.Duration { return max(f.cost(plain, size), f.cost(hidden, size)) }
		rows = append(rows, row{f, cost(1), cost(4000), cost(32000)})
	}
	slices.SortFunc(rows, func(a, b row) int { return int((b.table - b.bare) - (a.table - a.bare)) })
	printed := 0
	for _, r := range rows {
		more := r.table - r.bare
		// Eight times as much takes 64 times as long where it is squared.
		if more > 20*time.Microsecond && r.large-r.bare > 24*more {
			return fmt.Errorf("%s of %q: %v for 4,000 bytes and %v for 32,000", r.name, r.unit, more, r.large-r.bare)
		}
		// Only HTTP/1.1 has these, and nothing repeats them there.
		repeated := r.name != "Connection" && r.name != "Upgrade"
		if !o.fields && (printed > 0 || !repeated) {
			continue
		}
		printed++
		limit := micros(50)
		tableLine(out, fmt.Sprintf("field %d by cost: `%s`, filled with `%s`", printed, r.name, strings.ReplaceAll(r.unit, "|", "&#124;")), "4,000 bytes; 32,000 bytes", limit,
			limit.show(float64(more)/1e3), fmt.Sprintf("%.1f µs", float64(r.large-r.bare)/1e3))
	}
	return nil
}
