package accesstest

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	cases, err := Parse("x.test", []byte(`
caller a corp {
	user  alice
	scope read
	scope write
	claim realm.roles ["x"]
	claim realm.n 1
	claim https://example.com/a.b text
	claim auth_time now-5m
}
site http://example.com:8080/ignored
a POST /x?y=1 403 insufficient_scope admin write {
	header A "b c"
	body   {"n":1}
}
a GET https://other.example/ pass
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || cases[0].Position != "x.test:12" || cases[0].Name != "a POST /x?y=1" {
		t.Fatalf("got %+v", cases)
	}
	one := cases[0]
	if one.Request.URL != "http://example.com:8080/x?y=1" || one.Request.Header.Get("A") != "b c" || one.Request.Body != `{"n":1}` {
		t.Errorf("got %+v", one.Request)
	}
	if want := (Expectation{403, "insufficient_scope", []string{"admin", "write"}}); !reflect.DeepEqual(one.Want, want) {
		t.Errorf("got %+v", one.Want)
	}
	age := time.Since(time.Unix(one.Caller.Claims["auth_time"].(int64), 0))
	if age < 5*time.Minute || age > time.Hour {
		t.Errorf("now-5m is %s ago", age)
	}
	delete(one.Caller.Claims, "auth_time")
	want := map[string]any{"realm": map[string]any{"roles": []any{"x"}, "n": 1.0}, "https://example.com/a.b": "text"}
	if !reflect.DeepEqual(one.Caller.Claims, want) || !reflect.DeepEqual(one.Caller.Scopes, []string{"read", "write"}) {
		t.Errorf("got %+v", one.Caller)
	}
	if cases[1].Request.URL != "https://other.example/" || cases[1].Want.Status != 0 {
		t.Errorf("got %+v", cases[1])
	}
}

func TestParseRefuses(t *testing.T) {
	for content, want := range map[string]string{
		"site":                          "x.test:1:1: site: write a URL",
		"site ftp://x":                  "x.test:1:6: site: invalid URL",
		"site http://x y":               `x.test:1:15: unexpected word "y"`,
		"caller a":                      "x.test:1:8: caller: write",
		"caller anonymous corp":         "duplicate name",
		"caller a corp {\n\tclaim x\n}": "x.test:2:8: claim: write",
		"caller a c {\nclaim x 1\nclaim x.y 2\n}": "another claim has a value that is not an object",
		"anonymous GET":                                          "write `anonymous <method> <target> <expectation>`",
		"anonymous GET /x 401":                                   "write `site <URL>` above",
		"anonymous GET x 401":                                    "write a path that begins with a slash",
		"anonymous GET http://x/ 99":                             `unrecognized expectation "99"`,
		"anonymous GET http://x/ pass now":                       `unexpected word "now"`,
		"anonymous GET http://x/ 401 {\nfoo\n}":                  `x.test:2:1: unrecognized word "foo"`,
		"anonymous GET http://x/ 401 {\ncertificate none.pem\n}": "certificate: ",
	} {
		if _, err := Parse("x.test", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("site https://a\ncaller b c {\nuser d\n}\nb GET /e 403 insufficient_scope f {\nheader g h\n}\n")
	f.Fuzz(func(t *testing.T, content string) {
		if cases, err := Parse("x.test", []byte(content)); err == nil && len(cases) == 0 {
			t.Error("a file without a case is read")
		}
	})
}
