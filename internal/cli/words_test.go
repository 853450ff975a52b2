package cli

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// phrase is a line of docs/words.txt: a phrase, and what to write instead.
type phrase struct {
	pattern *regexp.Regexp
	instead string
}

func unwanted(t *testing.T) (all []phrase) {
	t.Helper()
	data, err := os.ReadFile("../../docs/words.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words, instead, found := strings.Cut(line, "->")
		if !found {
			t.Fatalf("docs/words.txt: %q has no arrow", line)
		}
		all = append(all, phrase{regexp.MustCompile(`(?i)\b(` + strings.TrimSpace(words) + `)\b`), strings.TrimSpace(instead)})
	}
	if len(all) < 20 {
		t.Fatalf("docs/words.txt has only %d phrases", len(all))
	}
	return all
}

// TestPlainWords looks for the phrases of docs/words.txt in the documentation, and in all strings
// of the packages whose strings reach the screen. Help and man pages are made from the same
// strings.
func TestPlainWords(t *testing.T) {
	phrases := unwanted(t)
	check := func(where, text string) {
		for _, p := range phrases {
			if found := p.pattern.FindString(strings.Join(strings.Fields(text), " ")); found != "" {
				t.Errorf("%s: %q; write instead: %s", where, found, p.instead)
			}
		}
	}
	var read int
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/man/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line := 1
			for _, paragraph := range strings.Split(string(text), "\n\n") {
				check(fmt.Sprintf("%s:%d", file, line), paragraph)
				line += strings.Count(paragraph, "\n") + 2
			}
			read++
		}
	}
	for _, dir := range []string{"cli", "ui", "layers", "changes", "engine", "journal", "hint", "explain", "endpoint", "access", "virtualbox", "vbox", "store", "shell",
		"certs", "dockermachine", "dockercli", "dockerd", "dockerhost", "laptop", "routes", "sshhost", "useraction", "target", "host"} {
		err := filepath.WalkDir("../"+dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			read++
			return eachString(path, check)
		})
		if err != nil {
			t.Error(err)
		}
	}
	messages, err := filepath.Glob("../explain/messages/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range messages {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			// Other programs' texts and their sources are quoted unchanged.
			if !strings.HasPrefix(line, "match") && !strings.HasPrefix(line, "source") {
				check(fmt.Sprintf("%s:%d", file, i+1), line)
			}
		}
		read++
	}
	if read < 150 {
		t.Errorf("only %d files were read", read)
	}
}

// eachString calls visit for each string literal of a Go file.
func eachString(path string, visit func(where, text string)) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if _, ok := n.(*ast.ImportSpec); ok {
			return false
		}
		if field, ok := n.(*ast.Field); ok && field.Tag != nil {
			return false // keys of JSON
		}
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				visit(files.Position(lit.Pos()).String(), text)
			}
		}
		return true
	})
	return nil
}
