package attacks

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestSmuggling writes requests whose end, host or credential two readers could see in
// different places. A guarded path stays guarded.
func TestSmuggling(t *testing.T) {
	f := newFortress(t, "require_auth corp")
	good := "Authorization: Bearer " + f.token
	if r := f.Send(lines("GET /", good)); r.Status != 200 || len(f.take()) != 1 {
		t.Fatalf("the honest twin gets %d", r.Status)
	}
	inner := "GET /inner HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, request := range map[string]string{
		"length and chunks":              lines("POST /", "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + inner,
		"two lengths":                    lines("POST /", "Content-Length: 0", "Content-Length: 5") + inner,
		"two lengths in one":             lines("POST /", "Content-Length: 0, 5") + inner,
		"a length with a plus":           lines("POST /", "Content-Length: +0") + inner,
		"a length with a space":          lines("POST /", "Content-Length: 0 0") + inner,
		"a negative length":              lines("POST /", "Content-Length: -1") + inner,
		"chunks in capitals, twice":      lines("POST /", "Transfer-Encoding: Chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n" + inner,
		"chunks by another name":         lines("POST /", "Transfer-Encoding: xchunked") + inner,
		"chunks before gzip":             lines("POST /", "Transfer-Encoding: chunked, gzip") + "0\r\n\r\n" + inner,
		"a space before the colon":       lines("GET /", "Authorization : Bearer "+f.token),
		"a field on two lines":           lines("GET /", "X-A: b\r\n Authorization: Bearer "+f.token),
		"a credential on two lines":      lines("GET /", "Authorization:\r\n Bearer\r\n "+f.token[:20]),
		"NUL in a credential":            lines("GET /", good+"\x00"),
		"a carriage return within":       lines("GET /", "X-A: b\rAuthorization: Bearer "+f.token),
		"a field without a name":         lines("GET /", ": a", "x: y"),
		"a name with a space":            lines("GET /", "Author ization: Bearer "+f.token),
		"a tab for the space":            lines("GET /", "Authorization: Bearer\t"+f.token),
		"a no-break space":               lines("GET /", "Authorization: Bearer\u00a0"+f.token),
		"a name with an underscore":      lines("GET /", "Authorization_: Bearer "+f.token),
		"another name of the proxy's":    lines("GET /", "Proxy-Authorization: Bearer "+f.token),
		"a forwarded credential":         lines("GET /", "X-Forwarded-Authorization: Bearer "+f.token, "X-Authorization: Bearer "+f.token),
		"a credential of FastCGI":        lines("GET /", "HTTP_AUTHORIZATION: Bearer "+f.token, "Redirect_Http_Authorization: Bearer "+f.token),
		"a token in Cookie":              lines("GET /", "Cookie: access_token="+f.token+"; Authorization=Bearer "+f.token),
		"a token in the query":           lines("GET /?access_token=" + f.token + "&token=" + f.token),
		"a token in the user":            lines("GET http://" + f.token + "@localhost/"),
		"a token for a WebSocket":        lines("GET /", "Sec-WebSocket-Protocol: bearer, "+f.token, "Connection: Upgrade", "Upgrade: websocket"),
		"a token without its scheme":     lines("GET /", "Authorization: "+f.token),
		"a scheme that begins alike":     lines("GET /", "Authorization: BearerX "+f.token),
		"a scheme and the token, joined": lines("GET /", "Authorization: Bearer"+f.token),
		"a scheme in wide letters":       lines("GET /", "Authorization: Ｂearer "+f.token),
		"a scheme with a colon":          lines("GET /", "Authorization: Bearer: "+f.token),
		"a list of credentials":          lines("GET /", "Authorization: Bearer x, Bearer "+f.token),
		"a credential twice":             lines("GET /", good, good),
		"a bad credential and a good":    lines("GET /", "Authorization: Bearer x", good),
		"a good credential and an empty": lines("GET /", good, "Authorization:"),
		"a foreign one and a good":       lines("GET /", "Authorization: Digest a=b", good),
		"HTTP/2 in the line":             "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
		"no host":                        "GET / HTTP/1.1\r\n\r\n",
		"two hosts":                      lines("GET /", "Host: localhost"),
		"an empty host":                  "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"a method that there is not":     lines("JEFF /"),
		"a method with a letter behind":  lines("GETx /"),
		"TRACE":                          lines("TRACE /"),
		"CONNECT":                        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"CONNECT to a path":              lines("CONNECT /"),
		"a target of another host":       lines("GET http://other.example/"),
		"a target that is not a path":    lines("GET admin"),
		"a target with a fragment":       lines("GET /#/open"),
		"header fields of 20 KiB":        lines("GET /", "X-A: "+strings.Repeat("a", 20<<10)),
		"a credential of 20 KiB":         lines("GET /", "Authorization: Bearer "+strings.Repeat("a", 20<<10)),
	} {
		t.Run("R9110-15: "+name, func(t *testing.T) { f.stops(t, f.Send(request)) })
	}
	for name, request := range map[string]string{
		"HTTP/1.0 without a host": "GET / HTTP/1.0\r\n\r\n", "OPTIONS of everything": "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name+" meets no site", func(t *testing.T) {
			if r := f.Send(request); r.Body != "" || len(f.take()) != 0 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestSameConnection has requests follow one another on a connection: each is
// judged by what it carries itself.
func TestSameConnection(t *testing.T) {
	f := newFortress(t, "require_auth corp")
	good := "Authorization: Bearer " + f.token
	for name, pair := range map[string][2]string{
		"after a good one":             {lines("GET /one", good), lines("GET /two")},
		"in the body of a good one":    {lines("POST /one", good, "Content-Length: 0") + lines("GET /two"), ""},
		"behind the chunks of a good":  {lines("POST /one", good, "Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n", lines("GET /two")},
		"in a trailer of a good one":   {lines("POST /one", good, "Transfer-Encoding: chunked", "Trailer: X-A") + "0\r\nX-A: GET /two\r\n\r\n", lines("GET /two")},
		"after one with a bad end":     {lines("GET /one", good, "Connection: keep-alive"), "\r\n" + lines("GET /two")},
		"with the credential's rest":   {lines("GET /one", good), lines("GET /two", "Cookie: "+good)},
		"as another method":            {lines("GET /one", good), lines("DELETE /two")},
		"as a preflight of no browser": {lines("GET /one", good), lines("OPTIONS /two", "Origin: https://a.example")},
	} {
		t.Run("R9110-17: "+name, func(t *testing.T) {
			connection := f.Dial()
			if _, err := io.WriteString(connection, pair[0]+pair[1]); err != nil {
				t.Fatal(err)
			}
			// The second is closed after its answer at the latest.
			if _, err := io.WriteString(connection, lines("GET /last", "Connection: close")); err != nil {
				t.Fatal(err)
			}
			_ = connection.SetReadDeadline(time.Now().Add(20 * time.Second))
			all, _ := io.ReadAll(connection)
			if !strings.Contains(string(all), "HTTP/1.1 200 ") || !strings.Contains(string(all), "HTTP/1.1 401 ") && !strings.Contains(string(all), "HTTP/1.1 400 ") {
				t.Errorf("the answers are %s", all)
			}
			for _, request := range f.take() {
				if request.target != "/one" {
					t.Errorf("the upstream got %s %s", request.method, request.target)
				}
			}
		})
	}
}
