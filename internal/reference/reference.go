// Package reference makes docs/reference.md out of doc comments, so that what
// the manual says of a line or a field is what stands beside its code.
package reference

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Module is a type that a configuration has, by its module id or, for a part of
// another one, by its name.
type Module struct{ ID, Folder, Type string }

// Modules are what the page has, in its order. Folders are those of the
// repository.
var Modules = []Module{
	{"auth", ".", "App"},
	{"http.handlers.require_auth", ".", "RequireAuth"},
	{"a requirement, in `require_auth`", "authz", "Requirement"},
	{"a login, in `require_auth`", "authz", "Session"},
	{"a claim, in `require_auth`", "authz", "Claim"},
	{"`mcp`, in `require_auth`", "mcp", "Policy"},
	{"a rule of `mcp`", "mcp", "Rule"},
	{"auth.schemes.bearer", "authn/bearer", "Bearer"},
	{"`introspection`, in `bearer`", "authn/bearer", "Introspection"},
	{"auth.schemes.basic", "authn/basic", "Basic"},
	{"a user of `basic`", "authn/basic", "User"},
	{"auth.schemes.api_key", "authn/apikey", "APIKey"},
	{"a key of `api_key`", "authn/apikey", "Key"},
	{"auth.schemes.client_cert", "authn/clientcert", "ClientCert"},
	{"a rule of `client_cert`", "authn/clientcert", "Rule"},
	{"`attempts`, in `auth`", "authn/bruteforce", "Limits"},
	{"a place of a credential", "authn", "Location"},
	{"auth.stores.memory", "store/memory", "Memory"},
	{"auth.stores.redis", "store/redis", "Redis"},
	{"http.handlers.auth_cors", "cors", "Handler"},
	{"http.handlers.protected_resource", "resource", "Handler"},
	{"a protected resource", "resource", "Resource"},
}

// Page writes the page, given the root of the repository.
func Page(root string) (string, error) {
	var page strings.Builder
	page.WriteString("# Reference\n\nEvery line of the Caddyfile and every field of the JSON configuration, as their code documents them.\n" +
		"This page is generated: `go test ./internal/reference -update`.\n")
	for _, module := range Modules {
		found, err := find(filepath.Join(root, module.Folder), module.Type)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s", heading(module.ID), markdown(found.Doc))
		if syntax := syntaxOf(found); syntax != "" {
			fmt.Fprintf(&page, "\nCaddyfile:\n\n```\n%s```\n", syntax)
		}
		if rows := rowsOf(found); rows != "" {
			fmt.Fprintf(&page, "\n| JSON | type | meaning |\n| --- | --- | --- |\n%s", rows)
		}
	}
	return page.String(), nil
}

func heading(id string) string {
	if strings.Contains(id, " ") {
		return strings.ToUpper(id[:1]) + id[1:]
	}
	return "`" + id + "`"
}

// find parses a folder and returns a type of it.
func find(folder, name string) (*doc.Type, error) {
	files := token.NewFileSet()
	var parsed []*ast.File
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	pkg, err := doc.NewFromFiles(files, parsed, "x", doc.AllDecls)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(pkg.Types, func(t *doc.Type) bool { return t.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s has no type %s: %w", folder, name, fs.ErrNotExist)
	}
	return pkg.Types[i], nil
}

// markdown makes Markdown of a comment: links to other declarations lose their
// brackets, tables stay as they are.
func markdown(comment string) string {
	return strings.NewReplacer("[authn.", "", "[", "", "]", "").Replace(comment)
}

// syntaxOf returns the Caddyfile syntax out of the comment of the reader.
func syntaxOf(t *doc.Type) string {
	for _, method := range t.Methods {
		_, syntax, found := strings.Cut(method.Doc, "Syntax:\n\n")
		if !found || method.Name != "UnmarshalCaddyfile" && method.Name != "ReadBlock" && method.Name != "ReadLine" {
			continue
		}
		var lines strings.Builder
		for line := range strings.Lines(syntax) {
			text, indented := strings.CutPrefix(line, "\t")
			if !indented && strings.TrimSpace(line) != "" {
				break
			}
			lines.WriteString(text)
		}
		return strings.TrimRight(lines.String(), "\n") + "\n"
	}
	return ""
}

// rowsOf returns a row for each field that has a name in JSON.
func rowsOf(t *doc.Type) string {
	var rows strings.Builder
	for _, spec := range t.Decl.Specs {
		object, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range object.Fields.List {
			name := jsonName(field)
			if name == "" {
				continue
			}
			fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", name, kindOf(field.Type), oneLine(field.Doc.Text()))
		}
	}
	return rows.String()
}

func jsonName(field *ast.Field) string {
	if field.Tag == nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

// kinds are the words of JSON for types of Go.
var kinds = map[string]string{
	"string": "string", "bool": "boolean", "Duration": "duration", "Time": "time", "RawMessage": "object", "Format": "string",
	"In": "string", "Authentication": "string", "int": "number", "uint64": "number", "float64": "number", "ModuleMap": "object",
}

func kindOf(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.StarExpr:
		return kindOf(e.X)
	case *ast.ArrayType:
		return "list of " + kindOf(e.Elt)
	case *ast.MapType:
		return "object of " + kindOf(e.Value)
	case *ast.SelectorExpr:
		return kindOf(e.Sel)
	case *ast.Ident:
		if kind, known := kinds[e.Name]; known {
			return kind
		}
		return e.Name
	default:
		return "any"
	}
}

// oneLine makes the text of a cell.
func oneLine(comment string) string {
	return strings.ReplaceAll(markdown(strings.Join(strings.Fields(comment), " ")), "|", `\|`)
}
