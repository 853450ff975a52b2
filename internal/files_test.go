package internal

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFilesCallDownward holds the files of each package to one direction: where one file
// uses what another declares, that one uses nothing of the first, not even by a detour. A
// reader can then begin at the file that no other uses, and read on.
func TestFilesCallDownward(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{} // by import path: the file with a package's types
	var ours []sources
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p sources
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if within(p.ImportPath, module) && !within(p.ImportPath, module+"/internal/lab") {
			ours = append(ours, p)
		}
	}
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range ours {
		for _, cycle := range cycles(p.uses(t, fset, from)) {
			t.Errorf("%s: %s", strings.TrimPrefix(p.ImportPath, module+"/"), strings.Join(cycle, ", "))
		}
	}
}

// sources are the files of a package, as go list has them.
type sources struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// uses are, by file, the other files of the package whose functions and methods it calls,
// with the name of one.
func (p sources) uses(t *testing.T, fset *token.FileSet, from types.Importer) map[string]map[string]string {
	t.Helper()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: from}).Check(p.ImportPath, fset, parsed, info)
	if err != nil {
		t.Fatal(err)
	}
	file := func(at token.Pos) string { return filepath.Base(fset.Position(at).Filename) }
	out := map[string]map[string]string{}
	for id, used := range info.Uses {
		f, isFunc := used.(*types.Func)
		if !isFunc || f.Pkg() != pkg || file(f.Pos()) == file(id.Pos()) {
			continue
		}
		if to := f.Signature().Recv(); to != nil && types.IsInterface(to.Type()) {
			continue // what is called is elsewhere
		}
		if out[file(id.Pos())] == nil {
			out[file(id.Pos())] = map[string]string{}
		}
		out[file(id.Pos())][file(f.Pos())] = f.Name()
	}
	return out
}

// cycles are the groups of files that use each other.
func cycles(uses map[string]map[string]string) (found [][]string) {
	reach := map[string]map[string]bool{}
	for from := range uses {
		seen := map[string]bool{}
		var visit func(string)
		visit = func(f string) {
			for to := range uses[f] {
				if !seen[to] {
					seen[to] = true
					visit(to)
				}
			}
		}
		visit(from)
		reach[from] = seen
	}
	var done []string
	for from := range uses {
		if !reach[from][from] || slices.Contains(done, from) {
			continue
		}
		var group []string
		for other := range reach[from] {
			if reach[other][from] {
				done = append(done, other)
				for to, what := range uses[other] {
					if reach[to][from] {
						group = append(group, other+" → "+to+" ("+what+")")
					}
				}
			}
		}
		slices.Sort(group)
		found = append(found, group)
	}
	return found
}
