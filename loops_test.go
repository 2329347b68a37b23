package requireauth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// readers are the packages whose functions read a whole text. Functions that stop at a
// match or read a fixed number of bytes do not count.
var readers = map[string]bool{"strings": true, "bytes": true, "url": true, "textproto": true, "base64": true, "hex": true, "norm": true}

var stopping = map[string]bool{"HasPrefix": true, "CutPrefix": true, "IndexByte": true, "Index": true, "IndexAny": true, "IndexFunc": true}

// remainders returns the loops that pass the rest of a text to a function that reads
// all of it. Such a loop takes quadratic time.
func remainders(file *ast.File) (found []token.Pos) {
	ast.Inspect(file, func(node ast.Node) bool {
		var body *ast.BlockStmt
		switch loop := node.(type) {
		case *ast.ForStmt:
			body = loop.Body
		case *ast.RangeStmt:
			body = loop.Body
		default:
			return true
		}
		ast.Inspect(body, func(inner ast.Node) bool {
			call, ok := inner.(*ast.CallExpr)
			if !ok {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || stopping[function.Sel.Name] {
				return true
			}
			if from, ok := function.X.(*ast.Ident); !ok || !readers[from.Name] {
				return true
			}
			for _, argument := range call.Args {
				if part, ok := argument.(*ast.SliceExpr); ok && part.Low != nil && part.High == nil {
					found = append(found, call.Pos())
				}
			}
			return true
		})
		return true
	})
	return found
}

func TestLoops(t *testing.T) {
	t.Run("COST-1: no loop goes through the rest of a text again and again", func(t *testing.T) {
		files, seen := token.NewFileSet(), 0
		err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
			if path == "tools" || path == "bench" || path == filepath.Join("internal", "convert") {
				return fs.SkipDir // they read no requests
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			seen++
			for _, position := range remainders(file) {
				t.Errorf("%s: the rest of a text is read in a loop", files.Position(position))
			}
			return nil
		})
		if err != nil || seen < 150 {
			t.Errorf("%d files were read: %v", seen, err)
		}
	})
	t.Run("COST-1: such a loop is found", func(t *testing.T) {
		const source = `package p
func joined(field string) bool {
	for i := range field {
		if field[i] == ',' {
			name, _, _ := strings.Cut(strings.TrimLeft(field[i+1:], " ,"), " ")
			_ = name
		}
	}
	return false
}`
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil || len(remainders(file)) != 1 {
			t.Errorf("found %d: %v", len(remainders(file)), err)
		}
	})
}
