package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a reader can hold in mind at once. A type's methods do not count as names.
const (
	maxFunction = 60   // lines
	maxPackage  = 1500 // lines
	maxNames    = 60   // exported
)

// large are the packages with as many files as there are commands and messages.
var large = []string{"cli", "explain"}

func TestSizes(t *testing.T) {
	lines, names := map[string]int{}, map[string]int{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "lab" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		lines[dir] += fset.Position(f.FileEnd).Line - 1
		for _, decl := range f.Decls {
			names[dir] += exported(decl)
			fn, ok := decl.(*ast.FuncDecl)
			if n := fset.Position(decl.End()).Line - fset.Position(decl.Pos()).Line + 1; ok && n > maxFunction {
				t.Errorf("%s: %s has %d lines", path, fn.Name.Name, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range lines {
		if !slices.Contains(large, dir) && (lines[dir] > maxPackage || names[dir] > maxNames) {
			t.Errorf("%s has %d lines and %d exported names", dir, lines[dir], names[dir])
		}
	}
	if len(lines) < 50 {
		t.Errorf("only %d packages were found", len(lines))
	}
}

// exported counts the exported names that a declaration adds to its package.
func exported(decl ast.Decl) (n int) {
	count := func(names ...*ast.Ident) {
		for _, name := range names {
			if name.IsExported() {
				n++
			}
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			count(d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				count(s.Name)
			case *ast.ValueSpec:
				count(s.Names...)
			}
		}
	}
	return n
}
