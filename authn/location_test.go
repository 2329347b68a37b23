package authn_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestLocationCheck(t *testing.T) {
	for _, location := range []authn.Location{{Kind: "header", Name: "X-API-Key"}, {Kind: "query", Name: "a b"}, {Kind: "cookie", Name: "__Host-id"}, {Kind: "form", Name: "t"}} {
		t.Run("KEY-5: "+string(location.Kind)+" "+location.Name+" is a place", func(t *testing.T) {
			if err := location.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, location := range []authn.Location{
		{}, {Kind: "header"}, {Kind: "query"}, {Kind: "cookie"}, {Kind: "form"}, {Kind: "body", Name: "x"}, {Kind: "Header", Name: "x"},
		{Kind: "header", Name: "X API"}, {Kind: "header", Name: "X:"}, {Kind: "cookie", Name: "a=b"}, {Kind: "cookie", Name: "a;b"}, {Kind: "header", Name: "é"},
	} {
		t.Run("KEY-5: "+string(location.Kind)+" "+location.Name+" is none", func(t *testing.T) {
			if location.Check() == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func TestVaryField(t *testing.T) {
	for name, test := range map[string]struct {
		place authn.Location
		want  string
	}{
		"KEY-4: a field is itself":               {authn.Location{Kind: "header", Name: "x-api-key"}, "X-Api-Key"},
		"KEY-4: a cookie is one of the cookies":  {authn.Location{Kind: "cookie", Name: "sid"}, "Cookie"},
		"KEY-4: a parameter is part of the URL":  {authn.Location{Kind: "query", Name: "key"}, ""},
		"KEY-4: a form is part of a body":        {authn.Location{Kind: "form", Name: "key"}, ""},
		"KEY-4: Authorization is a field itself": {authn.AuthorizationField, "Authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.place.VaryField(); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestFindIn(t *testing.T) {
	locations := []authn.Location{{Kind: "header", Name: "x-key"}, {Kind: "query", Name: "key"}, {Kind: "cookie", Name: "key"}}
	find := func(query string, fields ...string) (authn.Credential, error) {
		r := httptest.NewRequest("GET", "/?"+query, nil)
		for i := 0; i < len(fields); i += 2 {
			r.Header.Add(fields[i], fields[i+1])
		}
		return authn.FindIn(authn.NewRequest(r), locations)
	}
	t.Run("KEY-5: one credential is found with its place", func(t *testing.T) {
		for i, got := range []func() (authn.Credential, error){
			func() (authn.Credential, error) { return find("", "X-Key", "secret") },
			func() (authn.Credential, error) { return find("a=b&key=secret") },
			func() (authn.Credential, error) { return find("key=", "Cookie", `a=b; key=secret`) },
		} {
			credential, err := got()
			if want := (authn.Credential{Value: "secret", Location: locations[i]}); err != nil || credential != want {
				t.Errorf("got %+v, %v", credential, err)
			}
		}
	})
	t.Run("KEY-5: the value is found without what stands around it", func(t *testing.T) {
		for cookie, want := range map[string]string{
			`key="secret"`: "secret", ` key = secret ;a=b`: "secret", `key="secret`: `"secret`, `key=secret"`: `secret"`, `key="`: `"`, `key=a"b"c`: `a"b"c`,
		} {
			if got, err := find("", "Cookie", cookie); err != nil || got.Value != want {
				t.Errorf("%s: %q, %v", cookie, got.Value, err)
			}
		}
		for query, want := range map[string]string{"key=a%20b": "a b", "k%65y=a+b": "a b", "key=%zz": "%zz"} { // an upstream may be able to read that
			if got, err := find(query); err != nil || got.Value != want {
				t.Errorf("%s: %q, %v", query, got.Value, err)
			}
		}
	})
	t.Run("KEY-5: nothing, or what is empty, is not a credential", func(t *testing.T) {
		for _, query := range []string{"", "key", "key=", "Key=secret", "keys=secret"} {
			if credential, err := find(query, "X-Key", ""); err != nil || credential.Found() {
				t.Errorf("%q: %+v, %v", query, credential, err)
			}
		}
	})
	t.Run("KEY-5: the same one in two locations is one, in the first of them", func(t *testing.T) {
		if got, err := find("key=a", "Cookie", "key=a", "X-Key", "a"); err != nil || got.Value != "a" || got.Location != locations[0] {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("KEY-5: a cookie may be split", func(t *testing.T) {
		long := strings.Repeat("b", 4000)
		for cookies, want := range map[string]string{
			"key.0=a": "a", "key.0=a; x=y; key.1=" + long + "; key.2=c": "a" + long + "c", "key.1=b; key.0=a": "ab", "key=ab; key.1=b; key.0=a": "ab",
			"key=; key.0=a": "a", "key.00=a": "", "key.a=a": "", "key.=a": "", ".0=a": "", "keys.0=a": "", "key.100=a": "", "key=a; key.x=b": "a",
		} {
			if got, err := find("", "Cookie", cookies); err != nil || got.Value != want {
				t.Errorf("%.40s: %.40q, %v", cookies, got.Value, err)
			}
		}
		for cookies, want := range map[string]string{
			"key.1=b": "part 0 of it is missing", "key.0=a; key.2=c": "part 1 of it is missing", "key.0=a; key.99=c": "part 1 of it is missing",
			"key.0=a; key.0=a": "more than one", "key=a; key.0=b": "in cookie key and in cookie key",
		} {
			if got, err := find("", "Cookie", cookies); err == nil || !strings.Contains(err.Error(), want) || got.Found() {
				t.Errorf("%s: %+v, %v", cookies, got, err)
			}
		}
	})
	t.Run("KEY-5: more than one is an error, also the same one twice in one location", func(t *testing.T) {
		for _, got := range []func() (authn.Credential, error){
			func() (authn.Credential, error) { return find("key=a&key=a") },
			func() (authn.Credential, error) { return find("key=a&key=") },
			func() (authn.Credential, error) { return find("key=b", "X-Key", "a") },
			func() (authn.Credential, error) { return find("", "X-Key", "a", "x-key", "a") },
			func() (authn.Credential, error) { return find("", "Cookie", "key=a; key=a") },
			func() (authn.Credential, error) { return find("", "Cookie", "key=a", "Cookie", "key=b") },
			func() (authn.Credential, error) { return find("", "Cookie", "key=b", "X-Key", "a") },
		} {
			if credential, err := got(); err == nil || !strings.HasPrefix(err.Error(), "more than one credential") || credential.Found() {
				t.Errorf("%+v, %v", credential, err)
			}
		}
	})
}

// FuzzRemoveFromQuery holds Remove to its word: nothing is found afterwards,
// and every other parameter is where it was, spelled as it was.
func FuzzRemoveFromQuery(f *testing.F) {
	for _, seed := range []string{
		"", "key=a", "key=a&b=c", "b=c&key=a", "b=%20+&key=a&&c", "k%65y=a", "key", "key=%zz", "%zz=a&key=b", "a;key=b", "key=a&key=b",
		"KEY=a", "key%00=a", "+key=a", "=key&key=", "keykey=1&key=2",
	} {
		f.Add(seed)
	}
	location := authn.Location{Kind: authn.InQuery, Name: "key"}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{Path: "/p", RawQuery: query}, Header: http.Header{}}
		location.Remove(r)
		if found, err := authn.FindIn(authn.NewRequest(r), []authn.Location{location}); err != nil || found.Found() {
			t.Fatalf("%q became %q, where %+v, %v is found", query, r.URL.RawQuery, found, err)
		}
		var others []string
		for pair := range strings.SplitSeq(query, "&") {
			name, _, _ := strings.Cut(pair, "=")
			if plain, err := url.QueryUnescape(name); err != nil || plain != location.Name {
				others = append(others, pair)
			}
		}
		if want := strings.Join(others, "&"); r.URL.RawQuery != want {
			t.Fatalf("%q became %q, want %q", query, r.URL.RawQuery, want)
		}
		before, after := (&url.URL{RawQuery: query}).Query(), r.URL.Query()
		delete(before, location.Name)
		if before.Encode() != after.Encode() {
			t.Fatalf("%q: the others were %v and are %v", query, before, after)
		}
	})
}

// FuzzRemoveFromCookies does the same for cookies.
func FuzzRemoveFromCookies(f *testing.F) {
	for _, seed := range []string{
		"", "key=a", "key=a; b=c", "b=c; key=a", "b=c;key=a;d=e", `key="a b"`, "key", "key ; b=c", " key = a", "keys=1; key=2", "key=a; key=b",
		"key.0=a; b=c; key.1=d", "key.1=a; key.x=b; key.100=c",
		"b=c;; key=a", "b=\xff; key=a", "\u00a0key=a; key=b", "key=a\x00", "Key=a",
	} {
		f.Add(seed)
	}
	location := authn.Location{Kind: authn.InCookie, Name: "key"}
	part := regexp.MustCompile(`^key\.([0-9]|[1-9][0-9])$`)
	f.Fuzz(func(t *testing.T, field string) {
		r := &http.Request{URL: &url.URL{}, Header: http.Header{"Cookie": {field}}}
		others := func() []string {
			var all []string
			for _, cookie := range r.Cookies() {
				if cookie.Name != location.Name && !part.MatchString(cookie.Name) {
					all = append(all, cookie.Name+"="+cookie.Value)
				}
			}
			return all
		}
		before := others()
		location.Remove(r)
		if found, err := authn.FindIn(authn.NewRequest(r), []authn.Location{location}); err != nil || found.Found() {
			t.Fatalf("%q became %q, where %+v, %v is found", field, r.Header["Cookie"], found, err)
		}
		if after := others(); !slices.Equal(before, after) {
			t.Fatalf("%q became %q: the others were %q and are %q", field, r.Header["Cookie"], before, after)
		}
	})
}

func TestFormIsBounded(t *testing.T) {
	form := authn.Location{Kind: "form", Name: "key"}
	for length, found := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		t.Run(fmt.Sprintf("R6750-2: a body of %d bytes is searched: %t, and goes on whole", length, found), func(t *testing.T) {
			body := "key=secret&pad=" + strings.Repeat("x", length-len("key=secret&pad="))
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			credential, err := authn.FindIn(authn.NewRequest(r), []authn.Location{form})
			if err != nil || credential.Found() != found {
				t.Errorf("got %+v, %v", credential, err)
			}
			if passed, err := io.ReadAll(r.Body); err != nil || string(passed) != body {
				t.Errorf("%d bytes go on, %v", len(passed), err)
			}
		})
	}
}

// FuzzWebSocket reads credentials out of subprotocols, and removes them.
func FuzzWebSocket(f *testing.F) {
	for _, seed := range []string{"", "bearer", "bearer, t", "graphql-ws, bearer, t", "Bearer,t , x", "bearer, a, bearer, b", "bearer, bearer, b", ",,bearer,,t,", "t, bearer", "bearer t"} {
		f.Add(seed, "")
		f.Add("bearer", seed)
	}
	location := authn.Location{Kind: authn.InWebSocket}
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{Method: "GET", ProtoMajor: 1, URL: &url.URL{}, Header: http.Header{
			"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {first, second},
		}}
		var want, others []string
		marked := false
		for member := range strings.SplitSeq(first+","+second, ",") {
			switch member = strings.Trim(member, " \t"); {
			case member == "":
			case marked:
				want, marked = append(want, member), false
			default:
				others, marked = append(others, member), strings.EqualFold(member, "bearer")
			}
		}
		found, err := authn.FindIn(authn.NewRequest(r), []authn.Location{location})
		switch {
		case len(want) > 1 && err == nil, len(want) == 1 && found.Value != want[0], len(want) == 0 && (found.Found() || err != nil):
			t.Fatalf("%q, %q: %+v, %v", first, second, found, err)
		}
		location.Remove(r)
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != strings.Join(others, ", ") || len(r.Header["Sec-Websocket-Protocol"]) > 1 {
			t.Fatalf("%q, %q: %q goes on", first, second, r.Header["Sec-Websocket-Protocol"])
		}
	})
}

// TestWebSocket reads a credential only from a handshake.
func TestWebSocket(t *testing.T) {
	location := authn.Location{Kind: authn.InWebSocket}
	handshake := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"bearer, secret"}}
		change(r)
		return r
	}
	for name, test := range map[string]struct {
		change func(*http.Request)
		found  bool
	}{
		"HTTP/1.1": {func(*http.Request) {}, true},
		"HTTP/2": {func(r *http.Request) {
			r.Method, r.ProtoMajor, r.Header[":protocol"] = "CONNECT", 2, []string{"websocket"}
		}, true},
		"HTTP/3":               {func(r *http.Request) { r.Method, r.ProtoMajor, r.Proto = "CONNECT", 3, "websocket" }, true},
		"no upgrade":           {func(r *http.Request) { r.Header.Del("Upgrade") }, false},
		"no connection field":  {func(r *http.Request) { r.Header.Del("Connection") }, false},
		"another method":       {func(r *http.Request) { r.Method = "POST" }, false},
		"another protocol":     {func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, false},
		"an ordinary CONNECT":  {func(r *http.Request) { r.Method, r.ProtoMajor = "CONNECT", 2 }, false},
		"an upgrade in HTTP/2": {func(r *http.Request) { r.ProtoMajor = 2 }, false},
	} {
		t.Run("KEY-5: "+name, func(t *testing.T) {
			found, err := authn.FindIn(authn.NewRequest(handshake(test.change)), []authn.Location{location})
			if err != nil || found.Found() != test.found || test.found && found.Value != "secret" {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}
