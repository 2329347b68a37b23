package attacks

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// fieldCase is a part of a request, as it is when a unit fills it.
type fieldCase struct {
	units   []string
	request func(fill string) string // from the method to the last field
	bounded bool                     // over a bound it is not read at all
}

// part encodes a part of a token.
func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// requestOf is a request with fields.
func requestOf(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(fields, "\r\n")
}

// fieldCases are all that the gate and the handlers of the plugin read.
func fieldCases(bound string) map[string]fieldCase {
	in := func(name, prefix string, more ...string) func(string) string {
		return func(fill string) string { return requestOf("/one", append(more, name+": "+prefix+fill)...) }
	}
	return map[string]fieldCase{
		"Authorization": {[]string{"a", ",", " ,", ",a", ", a=", `,"`, "a=,", ";", "."}, in("Authorization", "x "), false},
		"a token":       {[]string{"a", ".", ",", "="}, in("Authorization", "Bearer "), false},
		"Basic": {[]string{"a", ":", "\u0301", "a\u0301", "\u1100\u1161"}, func(fill string) string {
			return requestOf("/one", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("a:"+fill)))
		}, false},
		"the header of a token": {[]string{"0,", "{},", `{"":0},`, `"\u0041",`, "1e9,", " "}, func(fill string) string {
			return requestOf("/one", "Authorization: Bearer "+part(`{"alg":"HS256","x":[`+fill+`0]}`)+"."+part("{}")+".AAAA")
		}, false},
		"the claims of a token": {[]string{"0,", "{},", "[],", `{"":0},`, `"\u0041",`, "9007199254740993.0001e-290,", " "}, func(fill string) string {
			return requestOf("/one", "Authorization: Bearer "+part(`{"alg":"HS256"}`)+"."+part(`{"x":[`+fill+`0]}`)+".AAAA")
		}, false},
		"a key":      {[]string{"a", ","}, in("X-API-Key", ""), false},
		"Cookie":     {[]string{"a", ";", "=;", "a;", "token;", ` token="";`}, in("Cookie", ""), false},
		"the query":  {[]string{"a", "&", "a&", "=&", "%61&", "+&", "access_token&"}, func(fill string) string { return requestOf("/one?" + fill) }, false},
		"a proof":    {[]string{"a", "."}, in("DPoP", "", "Authorization: DPoP "+bound), false},
		"Connection": {[]string{"a", ",", "a,", "X-User,"}, in("Connection", "close,"), false},
		"Upgrade":    {[]string{"a", ",", "a,", "h2c,"}, in("Upgrade", ""), false},
		"Mcp-Name": {[]string{"a"}, func(fill string) string {
			return requestOf("/mcp", "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: "+fill)
		}, false},
		"Accept": {[]string{"a", ";", ",", "a;,"}, in("Accept", ""), true},
		"the headers of a preflight": {[]string{"a", ",", "x-one,", " ,"}, func(fill string) string {
			return "OPTIONS /one HTTP/1.1\r\nHost: localhost\r\nOrigin: https://web.example\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: " + fill
		}, false},
		"Accept-Language": {[]string{"a", ",", "ko;q=0.1,"}, in("Accept-Language", "", "Accept: text/html"), true},
	}
}

// TestCostOfFields doubles each field of a request, and compares how many steps
// it takes to read.
func TestCostOfFields(t *testing.T) {
	s := harness.Start(t, `{
		servers {
			max_header_size 64KiB
		}
		auth {
			bearer corp {`+harness.BearerLines+`
				dpop optional
				token_from header
				token_from query access_token
				token_from cookie token
			}
			basic ops {
				user alice $2a$04$cnpwpxjMFDRuRhrRuj2cCukzXhY6ZK5uFnFBqNqLbBoBwzJ7xwKzi
			}
			api_key partners {
				key a sha256:`+strings.Repeat("0", 64)+`
			}
			attempts off
		}
	}
	http://localhost:8080 {
		auth_cors https://web.example {
			headers x-one
		}
		require_auth /one corp ops partners {
			forward X-User {http.auth.user.id}
		}
		require_auth /mcp ops {
			mcp {
				tool delete_* admin
			}
		}
		respond in
	}`)
	bound := harness.Token(t, harness.Claims{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})
	for name, field := range fieldCases(bound) {
		for _, unit := range field.units {
			cost := func(bytes int) int64 {
				request := field.request(strings.Repeat(unit, bytes/len(unit)))
				return steps.Of(func() { s.Send(request + "\r\nConnection: close\r\n\r\n") })
			}
			t.Run("COST-1: twice as much of "+unit+" in "+name+" takes twice as many steps", func(t *testing.T) {
				once, twice := cost(3000), cost(6000)
				if once == 0 && !field.bounded {
					t.Error("the cost of reading it is not counted")
				}
				if twice > 2*once+200 || once > 20*3000 {
					t.Errorf("%d steps, and %d for twice as much", once, twice)
				}
			})
		}
	}
}
