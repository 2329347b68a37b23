package mcp

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// request has header fields in pairs.
func request(method string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, "/mcp", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func TestRequired(t *testing.T) {
	policy := &Policy{Rules: []Rule{
		{Method: "tools/call", Name: "delete_*", Scopes: []string{"tools:delete"}},
		{Method: "tools/call", Name: "delete_all", Scopes: []string{"tools:delete", "root"}},
		{Method: "tools/call", Name: "grüße", Scopes: []string{"greet"}},
		{Method: "resources/read", Name: "file:///secret/*", Scopes: []string{"files"}},
		{Method: "subscriptions/listen", Scopes: []string{"admin"}},
	}}
	const revision, current = "Mcp-Protocol-Version", "2026-07-28"
	for name, test := range map[string]struct {
		fields []string
		want   []string
		bad    bool
	}{
		"MCP-11: a tool that no rule names":                  {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "read"}, nil, false},
		"MCP-11: a tool by its beginning":                    {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_one"}, []string{"tools:delete"}, false},
		"MCP-4 MCP-11: all rules that match":                 {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_all"}, []string{"tools:delete", "root"}, false},
		"MCP-11: a name in another letter case":              {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "DELETE_one"}, nil, false},
		"MCP-11: a name that is encoded":                     {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?Z3LDvMOfZQ==?="}, []string{"greet"}, false},
		"MCP-11: a name that is encoded without need":        {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?ZGVsZXRlX2E=?="}, []string{"tools:delete"}, false},
		"MCP-11: a resource by its URI":                      {[]string{revision, current, "Mcp-Method", "resources/read", "Mcp-Name", "file:///secret/a"}, []string{"files"}, false},
		"MCP-11: a method":                                   {[]string{revision, current, "Mcp-Method", "subscriptions/listen"}, []string{"admin"}, false},
		"MCP-11: a method, whatever the name":                {[]string{revision, current, "Mcp-Method", "subscriptions/listen", "Mcp-Name", "any"}, []string{"admin"}, false},
		"MCP-11: a longer name than that of a rule":          {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?Z3LDvMOfZW4=?="}, nil, false},
		"MCP-11: a name with a tab and the last of ASCII":    {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_\t~"}, []string{"tools:delete"}, false},
		"MCP-11: a name with a control character before it":  {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "\x01delete_one"}, nil, true},
		"MCP-11: a revision of nines":                        {[]string{revision, "2099-09-09", "Mcp-Method", "tools/list"}, nil, false},
		"MCP-11: a revision with a digit more":               {[]string{revision, "2026-07-281", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: a revision with its dashes elsewhere":       {[]string{revision, "20260-7-28", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: a revision with a slash":                    {[]string{revision, "2027-0/-01", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: a later revision":                           {[]string{revision, "2027-01-01", "Mcp-Method", "tools/list"}, nil, false},
		"MCP-11: an older revision":                          {[]string{revision, "2025-11-25", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: no revision":                                {[]string{"Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: no date for a revision":                     {[]string{revision, "9999-99-9x", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: a long revision":                            {[]string{revision, "2026-07-28-draft", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: two revisions":                              {[]string{revision, current, revision, current, "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: no method":                                  {[]string{revision, current, "Mcp-Name", "delete_one"}, nil, true},
		"MCP-11: two methods":                                {[]string{revision, current, "Mcp-Method", "tools/list", "Mcp-Method", "tools/call"}, nil, true},
		"MCP-11: no name":                                    {[]string{revision, current, "Mcp-Method", "tools/call"}, nil, true},
		"MCP-11: two names":                                  {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "a", "Mcp-Name", "a"}, nil, true},
		"MCP-11: two names where none is needed":             {[]string{revision, current, "Mcp-Method", "tools/list", "Mcp-Name", "a", "Mcp-Name", "a"}, nil, true},
		"MCP-11: a broken encoding where none is needed":     {[]string{revision, current, "Mcp-Method", "tools/list", "Mcp-Name", "=?base64?"}, nil, true},
		"MCP-11: a name that is not in normal form C":        {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?" + encode("delete_e\u0301") + "?="}, nil, true},
		"MCP-11: a control character in an encoded name":     {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?" + encode("delete_a\x00") + "?="}, nil, true},
		"MCP-11: an encoding without an end":                 {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?YQ=="}, nil, true},
		"MCP-11: an encoding that is no base64":              {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?%%?="}, nil, true},
		"MCP-11: an encoding that is base64 at first":        {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?cmVhZF9h%%%%?="}, nil, true},
		"MCP-11: an encoding of nothing":                     {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64??="}, nil, true},
		"MCP-11: an encoding of invalid text":                {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?/w==?="}, nil, true},
		"MCP-11: base64 whose last bits are not zero":        {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?YR==?="}, nil, true},
		"MCP-11: the end of an encoding alone is a name":     {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_?="}, []string{"tools:delete"}, false},
		"MCP-11: an encoding in capitals":                    {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "=?BASE64?ZGVsZXRlX2E=?="}, nil, true},
		"MCP-11: a method that is encoded":                   {[]string{revision, current, "Mcp-Method", "=?base64?dG9vbHMvY2FsbA==?=", "Mcp-Name", "delete_one"}, nil, true},
		"MCP-11: a revision that is encoded":                 {[]string{revision, "=?base64?MjAyNi0wNy0yOA==?=", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: a name in UTF-8":                            {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "grüße"}, nil, true},
		"MCP-11: a name in Latin-1":                          {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "gr\xfc\xdfe"}, nil, true},
		"MCP-11: a name with a control character":            {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "a\x7fb"}, nil, true},
		"MCP-11: a name with a space before it":              {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", " delete_one"}, nil, true},
		"MCP-11: a name with a tab behind it":                {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_all\t"}, nil, true},
		"MCP-11: a name with a space in it":                  {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "delete_ all"}, []string{"tools:delete"}, false},
		"MCP-11: a method with a space before it":            {[]string{revision, current, "Mcp-Method", " tools/call", "Mcp-Name", "delete_one"}, nil, true},
		"MCP-11: a revision with a space behind it":          {[]string{revision, current + " ", "Mcp-Method", "tools/list"}, nil, true},
		"MCP-11: Connection takes the revision away":         {[]string{revision, current, "Mcp-Method", "tools/list", "Connection", "keep-alive, mcp-protocol-version"}, nil, true},
		"MCP-11: Connection takes the method away":           {[]string{revision, current, "Mcp-Method", "tools/list", "Connection", "close", "Connection", "MCP-METHOD"}, nil, true},
		"MCP-11: Connection takes the name away":             {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "read", "Connection", "Mcp_Name"}, nil, true},
		"MCP-11: Connection takes another field away":        {[]string{revision, current, "Mcp-Method", "tools/list", "Connection", "keep-alive, Mcp-Param-Region"}, nil, false},
		"MCP-11: a name in a field of another spelling":      {[]string{revision, current, "Mcp-Method", "tools/call", "Mcp-Name", "read", "Mcp_Name", "delete_one"}, nil, true},
		"MCP-11: a revision in a field of another spelling":  {[]string{revision, current, "Mcp-Method", "tools/list", "Mcp.Protocol_version", "2025-06-18"}, nil, true},
		"MCP-11: a name is needed though no rule goes by it": {[]string{revision, current, "Mcp-Method", "prompts/get"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := policy.Required(request("POST", test.fields...))
			if (err != nil) != test.bad || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	t.Run("MCP-11: what carries no operation needs no more than the gate asks for", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS"} {
			if got, err := policy.Required(request(method)); err != nil || got != nil {
				t.Errorf("%s: %q, %v", method, got, err)
			}
		}
	})
	for _, fields := range [][]string{{"X-HTTP-Method-Override", "POST"}, {"X-Http-Method", "POST"}, {"X-Method-Override", ""}, {"X_HTTP_Method_Override", "POST"}, {"X!method!override", "POST"}, {"Upgrade", "websocket"}} {
		t.Run("MCP-11: what asks for nothing has no "+fields[0], func(t *testing.T) {
			for _, method := range withoutOperation {
				if _, err := policy.Required(request(method, fields...)); err == nil {
					t.Errorf("%s passes", method)
				}
			}
		})
	}
	t.Run("MCP-11: what says its operation cannot go on as another protocol", func(t *testing.T) {
		fields := []string{revision, current, "Mcp-Method", "tools/list"}
		if _, err := policy.Required(request("POST", fields...)); err != nil {
			t.Error(err)
		}
		if _, err := policy.Required(request("CONNECT", fields...)); err == nil {
			t.Error("CONNECT passes")
		}
		if _, err := policy.Required(request("POST", append(fields, "Upgrade", "websocket")...)); err == nil {
			t.Error("Upgrade passes")
		}
	})
	t.Run("MCP-11: a body is for operations", func(t *testing.T) {
		for method, want := range map[string]bool{"GET": true, "HEAD": true, "DELETE": true, "OPTIONS": true, "POST": false, "PUT": false, "get": false} {
			if got := policy.IsBodiless(request(method)); got != want {
				t.Errorf("%s: %t", method, got)
			}
		}
		if new(Policy).IsBodiless(request("GET")) || (*Policy)(nil).IsBodiless(request("GET")) {
			t.Error("without rules too")
		}
	})
	t.Run("MCP-11: what could carry an operation has to say which", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "PATCH", "QUERY", "post"} {
			if _, err := policy.Required(request(method)); err == nil {
				t.Errorf("%s passes", method)
			}
		}
	})
	t.Run("MCP-8: without rules every revision passes", func(t *testing.T) {
		for _, open := range []*Policy{nil, {}} {
			if got, err := open.Required(request("POST", revision, "2025-06-18", "Mcp-Name", "=?base64?")); err != nil || got != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
	t.Run("what is needed in one line", func(t *testing.T) {
		want := "tools/call delete_*: scope tools:delete; tools/call delete_all: scope tools:delete root"
		if got := policy.Describe(); !strings.HasPrefix(got, want) || (*Policy)(nil).Describe() != "" || new(Policy).Describe() != "" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("MCP-3: all scopes are known", func(t *testing.T) {
		want := []string{"tools:delete", "tools:delete", "root", "greet", "files", "admin"}
		if got := policy.Scopes(); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestOrigin(t *testing.T) {
	policy := &Policy{Origins: []string{"https://inspector.example"}}
	for name, test := range map[string]struct {
		fields []string
		want   bool
	}{
		"MCP-10: no browser":             {nil, true},
		"MCP-10: one that is listed":     {[]string{"Origin", "https://inspector.example"}, true},
		"MCP-10: the server's own":       {[]string{"Origin", "https://mcp.example"}, true},
		"MCP-10: another one":            {[]string{"Origin", "https://evil.example"}, false},
		"MCP-10: another port":           {[]string{"Origin", "https://inspector.example:8443"}, false},
		"MCP-10: another scheme":         {[]string{"Origin", "http://inspector.example"}, false},
		"MCP-10: null":                   {[]string{"Origin", "null"}, false},
		"MCP-10: an empty one":           {[]string{"Origin", ""}, false},
		"MCP-10: a good one beside evil": {[]string{"Origin", "https://inspector.example", "Origin", "https://evil.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.AllowsOrigin(request("POST", test.fields...), "https://mcp.example"); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
	t.Run("MCP-10: where the server's own is not known, an empty one is not it", func(t *testing.T) {
		if policy.AllowsOrigin(request("POST", "Origin", ""), "") {
			t.Error("it is allowed")
		}
	})
}

func TestCheck(t *testing.T) {
	rule := func(r Rule) *Policy { return &Policy{Rules: []Rule{r}} }
	scopes := []string{"a"}
	for name, policy := range map[string]*Policy{
		"an origin with a path":                  {Origins: []string{"https://a.example/"}},
		"any origin":                             {Origins: []string{"*"}},
		"origins by a pattern":                   {Origins: []string{"https://*.example.com"}},
		"an origin in capitals":                  {Origins: []string{"https://A.example"}},
		"an origin with its usual port":          {Origins: []string{"https://a.example:443"}},
		"the origin null":                        {Origins: []string{"null"}},
		"a rule without a method":                rule(Rule{Scopes: scopes}),
		"any method":                             rule(Rule{Method: "tools/*", Scopes: scopes}),
		"a rule without scopes":                  rule(Rule{Method: "tools/call"}),
		"a star in the middle":                   rule(Rule{Method: "tools/call", Name: "a*b", Scopes: scopes}),
		"a name where there can be none":         rule(Rule{Method: "tools/list", Name: "a", Scopes: scopes}),
		"MCP-11: a name that no server compares": rule(Rule{Method: "resources/subscribe", Name: "a", Scopes: scopes}),
		"what is not a scope":                    rule(Rule{Method: "tools/call", Name: "a", Scopes: []string{`"`}}),
		"MCP-3: offline_access":                  rule(Rule{Method: "tools/call", Name: "a", Scopes: []string{"offline_access"}}),
	} {
		t.Run(name, func(t *testing.T) {
			if policy.Check() == nil {
				t.Error("it is accepted")
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	for _, origin := range []string{"https://a.example", "http://localhost:6274", "https://[::1]:8443", "vscode-webview://0a1b"} {
		if err := (&Policy{Origins: []string{origin}}).Check(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzRequired holds that a tool is known as what a server takes it for that
// trims fields and reads them as UTF-8 or as Latin-1.
func FuzzRequired(f *testing.F) {
	for _, seed := range []string{"delete", " delete", "delete\t", "d\xe9lete", "=?base64?ZGVsZXRl?=", "=?BASE64?ZGVsZXRl?=", "=?base64?ZGVsZXRl", "read"} {
		f.Add("tools/call", seed)
		f.Add(seed, "delete")
	}
	f.Add(" tools/call", "delete")
	f.Add("=?base64?dG9vbHMvY2FsbA==?=", "delete")
	tools := []string{"delete", "d\u00e9lete"}
	policy := &Policy{}
	for _, tool := range tools {
		policy.Rules = append(policy.Rules, Rule{Method: "tools/call", Name: tool, Scopes: []string{"x"}})
	}
	f.Fuzz(func(t *testing.T, method, name string) {
		r := request("POST", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name)
		scopes, err := policy.Required(r)
		if err != nil || len(scopes) > 0 {
			return
		}
		if slices.Contains(readings(method), "tools/call") && slices.ContainsFunc(readings(name), func(s string) bool { return slices.Contains(tools, s) }) {
			t.Fatalf("%q %q passes without scope", method, name)
		}
	})
}

// readings are what lenient servers may take a field for.
func readings(value string) []string {
	value = strings.TrimSpace(value)
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	all := []string{value, string(runes)}
	lower := strings.ToLower(value)
	if strings.HasPrefix(lower, encodedPrefix) && strings.HasSuffix(lower, encodedSuffix) && len(value) >= len(encodedPrefix+encodedSuffix) {
		text := strings.TrimRight(value[len(encodedPrefix):len(value)-len(encodedSuffix)], "=")
		if decoded, err := base64.RawStdEncoding.DecodeString(text); err == nil {
			all = append(all, string(decoded))
		}
	}
	return all
}

// FuzzDecode holds that a value has one reading.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "a", "=?base64?YQ==?=", "=?base64??=", "=?base64?YR==?=", "=?base64?YQ==", "=?base64?\nYQ==?=", "=?BASE64?YQ==?="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		decoded, err := decode(value)
		switch {
		case err != nil && decoded != "":
			t.Fatal("an error with a value")
		case err == nil && decoded != value && encodedPrefix+encode(decoded)+encodedSuffix != value:
			t.Fatalf("%q reads as %q", value, decoded)
		}
	})
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
