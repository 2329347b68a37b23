package openapi

import (
	"fmt"
	"strings"
	"testing"
)

var (
	corp  = Scheme{"corp", object("type", "http", "scheme", "bearer", "bearerFormat", "JWT")}
	oidc  = Scheme{"corp_openid", object("type", "openIdConnect", "openIdConnectUrl", "https://idp.example.com/.well-known/openid-configuration")}
	ops   = Scheme{"ops", object("type", "http", "scheme", "basic")}
	keys  = Scheme{"partners", object("type", "apiKey", "in", "header", "name", "X-API-Key")}
	certs = Scheme{"robots", object("type", "mutualTLS")}
)

// site answers for the operations of the tests by the beginning of the path.
func site(operations Operation) Ways {
	guards := []Guard{{Schemes: []Scheme{corp}}}
	for prefix, ways := range map[string]Ways{
		"/me":     {guards},
		"/admin/": {{{Schemes: []Scheme{corp, oidc}, Scopes: []string{"admin"}, Forbids: true, Requires: "scope admin"}}},
		"/both/":  {{{Schemes: []Scheme{corp, keys}}, {Schemes: []Scheme{keys}, Forbids: true, Requires: "role robot"}}},
		"/maybe":  {{{Schemes: []Scheme{corp}, Optional: true}}},
		"/partly": {guards, nil},
		"/certs":  {{{Schemes: []Scheme{certs}}}},
		"/silent": {{{Schemes: []Scheme{ops}, Forbids: true, Requires: "scope x", Silent: true}}},
	} {
		if strings.HasPrefix(operations.Path, prefix) {
			return ways
		}
	}
	return nil
}

func merge(t *testing.T, document string) string {
	t.Helper()
	parsed, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := Merge(parsed, site); err != nil {
		t.Fatal(err)
	}
	once := toJSON(t, parsed)
	again, err := Parse([]byte(once))
	if err != nil {
		t.Fatal(err)
	}
	if err := Merge(again, site); err != nil {
		t.Fatal(err)
	}
	if twice := toJSON(t, again); twice != once {
		t.Errorf("merging again changes\n%s\nto\n%s", once, twice)
	}
	return once
}

func TestMerge(t *testing.T) {
	const unauthorized = `"401":{"$ref":"#/components/responses/AuthUnauthorized"}`
	for name, c := range map[string]struct{ version, path, operation, want string }{
		"an open operation stays": {"3.1.0", "/open", `{"responses":{}}`, `{"responses":{}}`},
		"one scheme":              {"3.1.0", "/me", `{"x":1}`, `{"x":1,"security":[{"corp":[]}],"responses":{` + unauthorized + `}}`},
		"scopes": {"3.1.0", "/admin/{id}", `{"responses":{"200":{}}}`, `{"responses":{"200":{},` + unauthorized +
			`,"403":{"description":"The caller is authenticated and not authorized. Required: scope admin","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/AuthProblem"}}}}}` +
			`,"security":[{"corp":["admin"]},{"corp_openid":["admin"]}]}`},
		"scopes in 3.0 only where they may stand": {"3.0.3", "/admin/x", `{"responses":{"401":{},"403":{}}}`,
			`{"responses":{"401":{},"403":{}},"security":[{"corp":[]},{"corp_openid":["admin"]}]}`},
		"two gates, and what meets both": {"3.1.0", "/both/x", `{"responses":{"401":{},"403":{}}}`, `{"responses":{"401":{},"403":{}},"security":[{"partners":[]}]}`},
		"an optional gate":               {"3.1.0", "/maybe", `{"responses":{"401":{}}}`, `{"responses":{"401":{}},"security":[{"corp":[]},{}]}`},
		"guarded for some requests":      {"3.1.0", "/partly", `{"responses":{"401":{}}}`, `{"responses":{"401":{}},"security":[{"corp":[]},{}]}`},
		"a certificate":                  {"3.1.0", "/certs", `{"responses":{"401":{}}}`, `{"responses":{"401":{}},"security":[{"robots":[]}]}`},
		"a certificate, before 3.1":      {"3.0.0", "/certs", `{"responses":{"401":{}}}`, `{"responses":{"401":{}}}`},
		"a gate that says no 403":        {"3.1.0", "/silent", `{}`, `{"security":[{"ops":[]}],"responses":{` + unauthorized + `}}`},
		"what the document has stays": {"3.1.0", "/me", `{"security":[{"theirs":[]}],"responses":{"401":{}}}`,
			`{"security":[{"theirs":[],"corp":[]}],"responses":{"401":{}}}`},
		"a scheme that is carried alike meets the gate": {"3.1.0", "/me", `{"security":[{"oauth":["a"]}],"responses":{"401":{}}}`,
			`{"security":[{"oauth":["a"]}],"responses":{"401":{}}}`},
		"no security of its own":            {"3.1.0", "/me", `{"security":[],"responses":{"401":{}}}`, `{"security":[{"corp":[]}],"responses":{"401":{}}}`},
		"security that is not a list stays": {"3.1.0", "/me", `{"security":7,"responses":[]}`, `{"security":7,"responses":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			const document = `{"openapi":%q,"paths":{%q:{"get":%s}},"components":{"securitySchemes":{"theirs":{"type":"apiKey","in":"query","name":"k"},"oauth":{"type":"oauth2","flows":{}}}}}`
			got := merge(t, fmt.Sprintf(document, c.version, c.path, c.operation))
			want := fmt.Sprintf(`"paths":{%q:{"get":%s}}`, c.path, c.want)
			if !strings.Contains(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestMergeKeeps(t *testing.T) {
	got := merge(t, `{"z":1,"openapi":"3.1.0","security":[{"theirs":[]}],"components":{"schemas":{"AuthProblem":{"type":"string"}},
		"securitySchemes":{"corp":{"type":"apiKey","in":"query","name":"c"},"theirs":{"type":"http","scheme":"basic"}}},
		"paths":{"/me":{"parameters":[],"get":{},"summary":"<b>"},"/b":{"get":{}},"/me/{x}":{"$ref":"other"},"/a":7}}`)
	for _, want := range []string{
		`{"z":1,"openapi":"3.1.0",`,
		`"schemas":{"AuthProblem":{"type":"string"},"AuthProblem_2":{"type":"object"`,
		`"securitySchemes":{"corp":{"type":"apiKey","in":"query","name":"c"},"theirs":{"type":"http","scheme":"basic"},"corp_2":{"type":"http"`,
		`"security":[{"theirs":[],"corp_2":[]}]`,
		`"summary":"<b>"},"/b":{"get":{}},"/me/{x}":{"$ref":"other"},"/a":7}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s\nin %s", want, got)
		}
	}
}

// TestMergeInherits has security of the whole document that meets the gate.
func TestMergeInherits(t *testing.T) {
	got := merge(t, `{"openapi":"3.1.0","security":[{"oauth":["a"]}],"components":{"securitySchemes":{"oauth":{"type":"oauth2"}}},"paths":{"/me":{"get":{"responses":{"401":{}}}}}}`)
	if want := `"paths":{"/me":{"get":{"responses":{"401":{}}}}}`; !strings.Contains(got, want) {
		t.Errorf("there is no %s\nin %s", want, got)
	}
}

func TestServers(t *testing.T) {
	for servers, want := range map[string]string{
		`[]`:                   "/x/~",
		`[{"url":"/api/v1/"}]`: "/api/v1/x/~",
		`[{"url":"https://a.example/v1"},{"url":"/other"}]`: "/v1/x/~",
		`[{"url":"https://{host}/v1"}]`:                     "/x/~",
		`[{"url":"api"}]`:                                   "/api/x/~",
		`[7]`:                                               "/x/~",
		`{}`:                                                "/x/~",
	} {
		document, err := Parse([]byte(`{"openapi":"3.1.0","servers":` + servers + `,"paths":{"/x/{id}":{"delete":{}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		var operations []Operation
		if err := Merge(document, func(o Operation) Ways { operations = append(operations, o); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(operations) != 1 || operations[0] != (Operation{"DELETE", want}) {
			t.Errorf("%s: asked %v, want %s", servers, operations, want)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	many := strings.Repeat(`"/a":{"get":{}},`, 1)
	var paths strings.Builder
	for i := range maxOperations + 1 {
		fmt.Fprintf(&paths, `"/%d":{"get":{}},`, i)
	}
	for name, document := range map[string]string{
		"Swagger 2":                `{"swagger":"2.0"}`,
		"no version":               `{"paths":{}}`,
		"OpenAPI 4":                `{"openapi":"4.0.0"}`,
		"components that are none": `{"openapi":"3.1.0","components":[],"paths":{` + strings.TrimSuffix(many, ",") + `}}`,
		"schemes that are none":    `{"openapi":"3.1.0","components":{"securitySchemes":7}}`,
		"too many operations":      `{"openapi":"3.1.0","paths":{` + strings.TrimSuffix(paths.String(), ",") + `}}`,
	} {
		parsed, err := Parse([]byte(document))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := toJSON(t, parsed)
		if err := Merge(parsed, site); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(name, "too many") && toJSON(t, parsed) != before {
			t.Errorf("%s: changed to %s", name, toJSON(t, parsed))
		}
	}
}
