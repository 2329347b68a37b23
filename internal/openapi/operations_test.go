package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// readDeclared reads a document and lists its operations with what they require.
func readDeclared(t *testing.T, source Source, document string) ([]string, error) {
	t.Helper()
	parsed, err := ParseAny([]byte(document))
	if err != nil {
		return nil, err
	}
	api, err := source.Read(parsed)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, one := range api.Operations {
		var alternatives []string
		for _, combination := range one.Alternatives {
			var parts []string
			for _, credential := range combination {
				parts = append(parts, strings.TrimSpace(credential.Scheme+" "+strings.Join(credential.Scopes, " ")+strings.Join(credential.Roles, "!")))
			}
			alternatives = append(alternatives, strings.Join(parts, " & "))
		}
		all = append(all, one.Method+" "+one.Path+" "+strings.Join(alternatives, " | "))
	}
	return all, nil
}

const schemes = `
components:
  securitySchemes:
    A: {type: oauth2, flows: {}}
    K: {type: apiKey, in: header, name: X-Key}
    L: {$ref: "#/components/securitySchemes/K"}
`

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, document string
		source         Source
		want           []string
	}{
		{"security of an operation, of the document, and none", "security: [{A: [x]}]\npaths: {/a: {get: {}, put: {security: []}, post: {security: [{K: []}, {}]}}}", Source{},
			[]string{"GET /a A x", "PUT /a ", "POST /a K | "}},
		{"no security at all", "paths: {/a: {get: {}}}", Source{}, []string{"GET /a "}},
		{"a combination", "paths: {/a: {get: {security: [{A: [x, y, x], L: [boss]}]}}}", Source{}, []string{"GET /a A x y & L boss"}},
		{"all alternatives together", "paths: {/a: {get: {security: [{A: [x]}, {A: [y]}, {K: []}]}}}", Source{All: true}, []string{"GET /a A x y & K"}},
		{"the methods of 3.2", "paths: {/a: {query: {}, additionalOperations: {COPY: {}, Lock: {}}}}", Source{}, []string{"QUERY /a ", "COPY /a ", "Lock /a "}},
		{"members that are no operations", "paths: {x-a: {get: {}}, /a: {get: {callbacks: {c: {/b: {post: {}}}}}, summary: s, x-put: {}}}\nwebhooks: {w: {post: {}}}", Source{}, []string{"GET /a "}},
		{"servers", "servers: [{url: 'https://h/v1/'}, {url: '/v1'}, {url: 'v2'}]\npaths: {/a: {get: {}}}", Source{}, []string{"GET /v1/a ", "GET /v2/a "}},
		{"servers of a path and of an operation", "servers: [{url: /v1}]\npaths: {/a: {servers: [{url: /v2}], get: {}, put: {servers: [{url: /v3}]}}, /b: {get: {servers: []}}}", Source{},
			[]string{"GET /v2/a ", "PUT /v3/a ", "GET /v1/b "}},
		{"variables of a server", "servers: [{url: 'https://{h}:{p}/{v}', variables: {h: {default: x}, p: {default: 8443}, v: {default: v7}}}]\npaths: {/a: {get: {}}}", Source{}, []string{"GET /v7/a "}},
		{"a server relative to the document", "servers: [{url: ../v1}]\npaths: {/a: {get: {}}}", Source{URL: &url.URL{Scheme: "https", Host: "h", Path: "/docs/x/openapi.json"}}, []string{"GET /docs/v1/a "}},
		{"no server, whatever the URL of the document", "paths: {/a: {get: {}}}", Source{URL: &url.URL{Scheme: "https", Host: "h", Path: "/docs/openapi.json"}}, []string{"GET /a "}},
		{"base paths", "servers: [{url: 7}]\npaths: {/a: {get: {}}}", Source{BasePaths: []string{"/", "/api/"}}, []string{"GET /a ", "GET /api/a "}},
		{"a path by reference", "paths: {/a: {$ref: '#/paths/~1b~1%7Bx%7D'}, '/b/{x}': {get: {}}}", Source{}, []string{"GET /a ", "GET /b/{x} "}},
		{"references to schemas elsewhere", "paths: {/a: {get: {requestBody: {$ref: 'other.yaml#/x'}}}}", Source{}, []string{"GET /a "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readDeclared(t, c.source, "openapi: 3.2.0\n"+c.document+schemes)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	var deep strings.Builder
	deep.WriteString("openapi: 3.1.0\nx0: &x0 [a, a]\n")
	for i := range 30 {
		fmt.Fprintf(&deep, "x%d: &x%d [*x%d, *x%d]\n", i+1, i+1, i, i)
	}
	for _, c := range []struct{ name, document, want string }{
		{"Swagger 2", "swagger: '2.0'\npaths: {/a: {get: {}}}", "line 1, openapi: write 3.0, 3.1 or 3.2"},
		{"a later version", "openapi: 3.10.0\npaths: {/a: {get: {}}}", "line 1, openapi"},
		{"no operations", "openapi: 3.1.0\npaths: {}", "no operations"},
		{"no paths", "openapi: 3.1.0", "no operations"},
		{"a document that is a list", "[1]", "must be an object"},
		{"empty", "", "empty"},
		{"broken YAML", "openapi: [", "line 1"},
		{"broken JSON", `{"openapi": "3.1.0",`, ""},
		{"a repeated member", "openapi: 3.1.0\npaths:\n  /a: {get: {}}\n  /a: {put: {}}", `line 4: member "/a" is repeated`},
		{"paths that differ in names of parameters", "openapi: 3.1.0\npaths:\n  /a/{x}: {get: {}}\n  /a/{y}: {put: {}}", `line 4, paths["/a/{y}"]: the path differs from "/a/{x}" in line 3 at most in the names of parameters, so OpenAPI forbids both: write all operations below one of them`},
		{"an invalid path", "openapi: 3.1.0\npaths:\n  /a/{x: {get: {}}", `line 3, paths["/a/{x"]: invalid parameter`},
		{"a path without a slash", "openapi: 3.1.0\npaths:\n  a: {get: {}}", "begins with a slash"},
		{"an operation that is a text", "openapi: 3.1.0\npaths:\n  /a:\n    get: x", `line 4, paths["/a"].get: write an object`},
		{"an unknown scheme", "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      security:\n        - B: []", `line 6, paths["/a"].get.security[0]["B"]: the security scheme is not in components`},
		{"security that is an object", "openapi: 3.1.0\nsecurity: {A: []}\npaths: {/a: {get: {}}}", "line 2, security: write a list"},
		{"a requirement that is a text", "openapi: 3.1.0\nsecurity: [A]\npaths: {/a: {get: {}}}", "line 2, security[0]: write an object"},
		{"scopes that are a text", "openapi: 3.1.0\nsecurity: [{A: x}]\npaths: {/a: {get: {}}}", `security[0]["A"]: write a list of scopes`},
		{"a scope that is a number", "openapi: 3.1.0\nsecurity: [{A: [7]}]\npaths: {/a: {get: {}}}", "write the names of scopes"},
		{"scopes of a key, before 3.1", "openapi: 3.0.3\nsecurity: [{K: [x]}]\npaths: {/a: {get: {}}}", "only oauth2 and openIdConnect have scopes"},
		{"a path in another file", "openapi: 3.1.0\npaths:\n  /a: {$ref: 'a.yaml#/x'}", `line 3, paths["/a"].$ref: references to other documents are not followed`},
		{"a path at another host", "openapi: 3.1.0\npaths:\n  /a: {$ref: 'https://h/a.yaml'}", "not followed"},
		{"a path in a circle", "openapi: 3.1.0\npaths:\n  /a: {$ref: '#/paths/~1b'}\n  /b: {$ref: '#/paths/~1a'}", "circle"},
		{"a path that is not there", "openapi: 3.1.0\npaths:\n  /a: {$ref: '#/x/y'}", `"#/x/y" not found`},
		{"an operation in both places", "openapi: 3.1.0\npaths:\n  /a: {$ref: '#/x', get: {}}\nx: {get: {}}", "duplicate operation"},
		{"a scheme in another file", "openapi: 3.1.0\nsecurity: [{R: []}]\npaths: {/a: {get: {}}}\ncomponents: {securitySchemes: {R: {$ref: x.yaml}}}", `components.securitySchemes["R"].$ref: references to other documents`},
		{"a scheme in a circle", "openapi: 3.1.0\nsecurity: [{R: []}]\npaths: {/a: {get: {}}}\ncomponents: {securitySchemes: {R: {$ref: '#/components/securitySchemes/R'}}}", "circle"},
		{"a scheme of another type", "openapi: 3.1.0\nsecurity: [{R: []}]\npaths: {/a: {get: {}}}\ncomponents: {securitySchemes: {R: {type: basic}}}", "write type apiKey"},
		{"a variable without a default", "openapi: 3.1.0\nservers: [{url: '/{v}'}]\npaths: {/a: {get: {}}}", `the variable "v" has no default`},
		{"a server without a URL", "openapi: 3.1.0\nservers: [{}]\npaths: {/a: {get: {}}}", "a server needs a url"},
		{"aliases that grow", deep.String() + "paths: {/a: {get: {}}}", "more than 1000000 values"},
		{"an alias in a circle", "openapi: 3.1.0\npaths: &p {/a: *p}", ""},
		{"nested too deep", `{"openapi":"3.1.0","x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "nested more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(c.document, "components:") && strings.Contains(c.document, "paths") && !strings.HasPrefix(c.document, "{") {
				c.document += schemes
			}
			got, err := readDeclared(t, Source{}, c.document)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestReadJSONLine has an error in a document of JSON.
func TestReadJSONLine(t *testing.T) {
	_, err := readDeclared(t, Source{}, "{\n\"openapi\": \"3.1.0\",\n\"paths\": {\n\"/a\": {\n\"get\": {\"security\":\n[{\"B\": []}]}}}}")
	if err == nil || !strings.HasPrefix(err.Error(), "line 6, ") {
		t.Errorf("error %v", err)
	}
}

// TestManyPaths has references and servers that multiply.
func TestManyPaths(t *testing.T) {
	var document strings.Builder
	document.WriteString("openapi: 3.1.0\nservers: [")
	for i := range 1000 {
		fmt.Fprintf(&document, "{url: /%d},", i)
	}
	document.WriteString("]\npaths:\n")
	for i := range 1000 {
		fmt.Fprintf(&document, "  /%d: {get: {}}\n", i)
	}
	if _, err := readDeclared(t, Source{}, document.String()); err == nil || !strings.Contains(err.Error(), "more than 200000 paths") {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, document := range []string{
		"openapi: 3.1.0\nsecurity: [{A: [x]}]\nservers: [{url: '/{v}', variables: {v: {default: v1}}}]\npaths: {'/a/{x}': {$ref: '#/paths/~1b'}, /b: {get: {}}}" + schemes,
		`{"openapi":"3.0.3","paths":{"/a":{"get":{"security":[{"K":[]},{}]}}},"components":{"securitySchemes":{"K":{"type":"http","scheme":"basic"}}}}`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		parsed, err := ParseAny([]byte(document))
		if err != nil {
			return
		}
		api, err := Source{}.Read(parsed)
		if err != nil {
			return
		}
		for _, one := range api.Operations {
			for _, combination := range one.Alternatives {
				for _, credential := range combination {
					if _, ok := api.Schemes[credential.Scheme]; !ok {
						t.Errorf("%s %s has no scheme %s", one.Method, one.Path, credential.Scheme)
					}
				}
			}
		}
	})
}
