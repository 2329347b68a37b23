package schemes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestStrip looks at what reaches the upstream.
func TestStrip(t *testing.T) {
	address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s key=%q authorization=%q cookie=%q", // the client would see it
			r.RequestURI, r.Header["X-Api-Key"], r.Header["Authorization"], r.Header["Cookie"])
	})
	lines := `
		api_key partners {
			from header X-API-Key
			from query  api_key
			from cookie key
			key partner-a ` + digest("key-of-a") + `
		}
		basic ops {
			user alice ` + hash(t, "secret") + `
		}`
	s := harness.Start(t, config(lines, `
	require_auth /strip* partners ops {
		strip_credentials
	}
	require_auth /keep* partners ops
	require_auth /optional* partners {
		optional
		strip_credentials
	}
	route /twice* {
		require_auth partners {
			strip_credentials
		}
		require_auth partners {
			strip_credentials
		}
		require_auth partners ops
	}
	reverse_proxy `+address))

	const nothing = " key=[] authorization=[] cookie=[]"
	for name, test := range map[string]struct {
		path    string
		options []harness.Option
		want    string
	}{
		"KEY-5: a field":                                  {"/strip?a=1", []harness.Option{key("key-of-a")}, "/strip?a=1" + nothing},
		"R9110-18: Authorization":                         {"/strip", []harness.Option{encoded("alice:secret")}, "/strip" + nothing},
		"KEY-5: a parameter in the middle":                {"/strip?z=%7e%2F&api_key=key-of-a&a=b+c&z", nil, "/strip?z=%7e%2F&a=b+c&z" + nothing},
		"KEY-5: the only parameter":                       {"/strip?api_key=key-of-a", nil, "/strip" + nothing},
		"KEY-5: the first parameter":                      {"/strip?api_key=key-of-a&b=%20", nil, "/strip?b=%20" + nothing},
		"KEY-5: a parameter with an encoded name":         {"/strip?api%5fkey=key-of-a&api_keys=1", nil, "/strip?api_keys=1" + nothing},
		"KEY-5: a parameter under an encoded path":        {"/strip/%2e%2F?api_key=key-of-a", nil, "/strip/%2e%2F" + nothing},
		"KEY-5: a parameter beside what cannot be parsed": {"/strip?%zz&api_key=key-of-a&&c;d", nil, "/strip?%zz&&c;d" + nothing},
		"KEY-5: a cookie in the middle": {"/strip", []harness.Option{cookie("a=1; key=key-of-a; b=\"2 3\"")},
			`/strip key=[] authorization=[] cookie=["a=1; b=\"2 3\""]`},
		"KEY-5: the only cookie":            {"/strip", []harness.Option{cookie("key=key-of-a")}, "/strip" + nothing},
		"KEY-5: the first cookie":           {"/strip", []harness.Option{cookie("key=key-of-a; keys=1")}, `/strip key=[] authorization=[] cookie=["keys=1"]`},
		"KEY-5: a key for an anonymous":     {"/optional", []harness.Option{key("key-of-a")}, "/optional" + nothing},
		"KEY-5: a key that gates want":      {"/twice", []harness.Option{key("key-of-a")}, "/twice" + nothing},
		"KEY-5: a parameter that they want": {"/twice?api_key=key-of-a&b=1", nil, "/twice?b=1" + nothing},
		"KEY-5: a cookie that they want":    {"/twice", []harness.Option{cookie("key=key-of-a")}, "/twice" + nothing},
	} {
		t.Run(name+" does not go on, and all else does", func(t *testing.T) {
			response := s.Get(test.path, test.options...)
			wantOK(t, response)
			if response.Body != test.want {
				t.Errorf("\n got %s\nwant %s", response.Body, test.want)
			}
		})
	}
	t.Run("KEY-5: without the line everything goes on", func(t *testing.T) {
		for _, test := range []struct {
			path   string
			option harness.Option
			want   string
		}{
			{"/keep", key("key-of-a"), `/keep key=["key-of-a"] authorization=[] cookie=[]`},
			{"/keep?api_key=key-of-a&b", key(""), `/keep?api_key=key-of-a&b key=[""] authorization=[] cookie=[]`},
			{"/keep", cookie("key=key-of-a; b=1"), `/keep key=[] authorization=[] cookie=["key=key-of-a; b=1"]`},
		} {
			if got := s.Get(test.path, test.option).Body; got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		}
	})
	t.Run("KEY-5: an anonymous caller loses nothing", func(t *testing.T) {
		if got := s.Get("/optional?b=1", cookie("a=1")).Body; got != `/optional?b=1 key=[] authorization=[] cookie=["a=1"]` {
			t.Errorf("body %s", got)
		}
	})
}

func TestStripKeepsTheBody(t *testing.T) {
	echo := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // the client would see it
	})
	s := harness.Start(t, config(`
		api_key partners {
			from query api_key
			key partner-a `+digest("key-of-a")+`
		}`, "require_auth {\n strip_credentials\n}\nreverse_proxy "+echo))
	t.Run("KEY-5: a parameter of the same name in the body stays", func(t *testing.T) {
		response := s.Do("POST", s.URL("/?api_key=key-of-a"), harness.Body("application/x-www-form-urlencoded", "api_key=other&b=1"))
		wantOK(t, response)
		if response.Body != "api_key=other&b=1" {
			t.Errorf("body %q", response.Body)
		}
	})
}

// TestStripEverywhere looks at programs behind FastCGI and at the pages of errors,
// which are told the address as it was before rewrites.
func TestStripEverywhere(t *testing.T) {
	say := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.URL.RequestURI(), r.Header["X-Api-Key"])
	} // the client would see it
	program, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	go func() { _ = fcgi.Serve(program, http.HandlerFunc(say)) }() // ends with the listener
	s := harness.Start(t, config(`
		api_key partners {
			from header X-API-Key
			from query  api_key
			key partner-a `+digest("key-of-a")+`
		}`, `
		rewrite /rewritten* /program{uri}
		require_auth {
			strip_credentials
		}
		require_auth /denied* {
			scope admin
			strip_credentials
		}
		reverse_proxy /program* `+program.Addr().String()+` {
			transport fastcgi
		}
		error /broken* 502
		handle_errors 502 {
			reverse_proxy `+upstream(t, say)+`
		}
		handle_errors {
			rewrite * /page
			reverse_proxy `+upstream(t, say)+`
		}`))
	for name, c := range map[string]struct{ path, seen string }{
		"a program behind FastCGI": {"/program", "/program"}, "a program behind FastCGI and a rewrite": {"/rewritten", "/rewritten"},
		"the page of a later error": {"/broken", "/broken"}, "the page of a denial": {"/denied", "/page"},
	} {
		t.Run("R9110-18: "+name+" is not told of the key", func(t *testing.T) {
			want := c.seen + "?a=%7e&b[]"
			for _, got := range []string{s.Get(c.path + "?a=%7e&api_key=key-of-a&b").Body, s.Get(c.path+"?a=%7e&b", key("key-of-a")).Body} {
				if got != want {
					t.Errorf("\n got %s\nwant %s", got, want)
				}
			}
		})
	}
}
