// Package reference holds docs/reference.md against the registered modules: the
// page has each of their fields, with the doc comment of the code.
package reference

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	_ "github.com/excorp/caddy-require-auth"
)

const (
	module = "github.com/excorp/caddy-require-auth"
	path   = "../../docs/reference.md"
	intro  = `# Reference

Every module and every field of the JSON configuration, with the comments of the code. [caddyfile.md](caddyfile.md) explains the
lines of the Caddyfile. This page is generated: ` + "`go test ./internal/reference -update`" + `.
`
)

var update = flag.Bool("update", false, "write the page")

// TestPage compares the page with the code.
func TestPage(t *testing.T) {
	p := page{t: t, sections: make(map[reflect.Type]bool)}
	p.WriteString(intro)
	for _, id := range caddy.Modules() {
		info, err := caddy.GetModule(id)
		if err != nil {
			t.Fatal(err)
		}
		if typ := reflect.Indirect(reflect.ValueOf(info.New())).Type(); strings.HasPrefix(typ.PkgPath()+"/", module+"/") {
			p.section("## `"+id+"`", typ)
		}
	}
	for _, want := range []string{"## `http.handlers.auth_openapi`", "| `sentinel` |", "| `tls` |"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("the page lacks %s: were the modules found?", want)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if current, err := os.ReadFile(path); err != nil || string(current) != p.String() {
		t.Errorf("docs/reference.md differs from the code (%v): run go test ./internal/reference -update", err)
	}
}

// page is the text of the page.
type page struct {
	strings.Builder
	t        *testing.T
	sections map[reflect.Type]bool
}

// section writes a type: its comment, its syntax, its fields, and then the
// types of its fields that have no section yet.
func (p *page) section(heading string, typ reflect.Type) {
	p.sections[typ] = true
	documented := p.lookup(typ)
	if documented.Doc == "" {
		p.t.Errorf("%v has no comment", typ)
	}
	fmt.Fprintf(p, "\n%s\n\n%s", heading, markdown(documented.Doc))
	if syntax := syntaxOf(documented); syntax != "" {
		fmt.Fprintf(p, "\nCaddyfile:\n\n```\n%s\n```\n", syntax)
	}
	var parts []reflect.Type
	if rows := p.rows(typ, &parts); rows != "" {
		fmt.Fprintf(p, "\n| JSON | type | meaning |\n| --- | --- | --- |\n%s", rows)
	}
	for _, part := range parts {
		if !p.sections[part] {
			p.section("### `"+part.Name()+"`", part)
		}
	}
}

// rows returns a row for each field that has a name in JSON. Fields of embedded
// types are fields of the type itself.
func (p *page) rows(typ reflect.Type, parts *[]reflect.Type) string {
	comments := fieldsOf(p.lookup(typ))
	var rows strings.Builder
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" && isOurs(field.Type) {
			rows.WriteString(p.rows(field.Type, parts))
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		comment := strings.ReplaceAll(markdown(strings.Join(strings.Fields(comments[field.Name]), " ")), "|", `\|`)
		if comment == "" {
			p.t.Errorf("%v.%s has no comment", typ, field.Name)
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", name, kindOf(field.Type, parts), comment)
	}
	return rows.String()
}

func isOurs(typ reflect.Type) bool {
	return typ.Kind() == reflect.Struct && strings.HasPrefix(typ.PkgPath()+"/", module+"/")
}

// kindOf returns the words of JSON for a type, and collects the types of ours in it.
func kindOf(typ reflect.Type, parts *[]reflect.Type) string {
	switch typ {
	case reflect.TypeFor[caddy.Duration]():
		return "duration"
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[caddy.ModuleMap]():
		return "object"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return kindOf(typ.Elem(), parts)
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "object" // the JSON of a module
		}
		return "list of " + kindOf(typ.Elem(), parts)
	case reflect.Map:
		return "object of " + kindOf(typ.Elem(), parts)
	case reflect.Struct:
		*parts = append(*parts, typ)
		return "`" + typ.Name() + "`"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	default:
		return "number"
	}
}

// lookup parses the package of a type and returns what documents it.
func (p *page) lookup(typ reflect.Type) *doc.Type {
	p.t.Helper()
	folder := filepath.Join("../..", strings.TrimPrefix(typ.PkgPath(), module))
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		p.t.Fatal(err)
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			p.t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	pkg, err := doc.NewFromFiles(files, parsed, typ.PkgPath(), doc.AllDecls)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, found := range pkg.Types {
		if found.Name == typ.Name() {
			return found
		}
	}
	p.t.Fatalf("%s has no type %s", folder, typ.Name())
	return nil
}

// fieldsOf returns the comments of a type's fields. Names that share a line
// share its comment; a line without one shares that of the line before it.
func fieldsOf(typ *doc.Type) map[string]string {
	comments := make(map[string]string)
	for _, spec := range typ.Decl.Specs {
		object, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		last := ""
		var end token.Pos
		for _, field := range object.Fields.List {
			if text := field.Doc.Text(); text != "" || field.Pos() > end+2 {
				last = text
			}
			for _, name := range field.Names {
				comments[name.Name] = last
			}
			end = field.End()
		}
	}
	return comments
}

// link is a link to a declaration.
var link = regexp.MustCompile(`\[(?:\w+\.)?([A-Z]\w*)\]`)

// markdown makes Markdown of a comment: links to declarations lose their brackets.
func markdown(comment string) string {
	return link.ReplaceAllString(comment, "$1")
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
		return strings.TrimRight(lines.String(), "\n")
	}
	return ""
}
