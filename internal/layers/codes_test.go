package layers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	dockercontext "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/context"
)

// mustExist are the codes that scripts may rely on.
const mustExist = `machine.missing machine.config-unreadable machine.driver-unsupported
machine.not-running route.ok route.hijacked route.missing route.stale route.colliding route.interface-down
forward.ok forward.rule-missing forward.port-taken forward.open-to-network ssh.ok ssh.refused ssh.timeout
ssh.closed-before-banner ssh.rate-limited ssh.auth-failed ssh.host-key-changed tls.ok tls.name-missing tls.expired
tls.expires-soon tls.not-yet-valid tls.wrong-ca tls.key-mismatch tls.client-cert-rejected tls.no-client-auth
tls.drift tls.ca-expires-soon tls.ca-expired tls.ca-unusable daemon.ok daemon.other-machine daemon.unreachable
daemon.not-docker daemon.api-too-old env.ok env.unset env.points-elsewhere env.proxy-captures`

// notYet are those of them that no layer reports yet. They have pages already.
const notYet = ``

func TestEveryFindingCodeHasItsPage(t *testing.T) {
	reported := map[string]bool{}
	for _, layer := range names(t) {
		reported[layer+".unknown"] = true // stack reports it when the inspection itself fails
		table := tables()[layer]
		for _, d := range table {
			reported[d.Code] = true
		}
		if len(table) > 0 {
			continue
		}
		for _, code := range codesOf(t, layer) {
			reported[code] = true
		}
	}
	for _, code := range hinted(t) {
		reported[code] = true // a page that only hints lead to
	}
	for _, code := range strings.Fields(notYet) {
		if reported[code] {
			t.Errorf("%s is reported now: take it off the list notYet", code)
		}
		reported[code] = true
	}
	var want []string
	for code := range reported {
		want = append(want, code)
	}
	slices.Sort(want)
	got := slices.Sorted(slices.Values(docs.Codes()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes that layers report (-) and headings of docs/troubleshooting.md (+):\n%s", diff)
	}
	for _, code := range strings.Fields(mustExist) {
		if !reported[code] {
			t.Errorf("%s must exist, and no layer reports it", code)
		}
	}
}

// tables are what each layer can report.
func tables() map[string]engine.Table {
	all := map[string]engine.Table{}
	for _, l := range append(All(), Context(dockercontext.Wish{})...) {
		all[l.Name] = l.Findings
	}
	return all
}

// hinted are the codes that hints tell the user to have explained.
func hinted(t *testing.T) []string {
	code := regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)
	dirs := append([]string{"../cli", "../changes", "../target", "../dockermachine"}, names(t)...)
	var codes []string
	for _, dir := range dirs {
		for _, f := range parseDir(t, dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 1 {
					return true
				}
				if f, ok := call.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "Explain" {
					return true
				}
				if text, ok := literal(call.Args[0]); ok && code.MatchString(text) {
					codes = append(codes, text)
				}
				return true
			})
		}
	}
	return codes
}

// names are all layers, those of doctor and those beside them.
func names(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "testdata" {
			all = append(all, e.Name())
		}
	}
	for _, l := range All() {
		if !slices.Contains(all, l.Name) {
			t.Errorf("layer %s has no directory of its name", l.Name)
		}
	}
	return all
}

// codesOf reads a layer's source for the codes that it can report: literals
// "layer.noun-adjective", and those that a small function puts together of
// "layer." and its parameter, whose calls are looked at then.
func codesOf(t *testing.T, layer string) []string {
	t.Helper()
	whole := regexp.MustCompile(`^` + layer + `\.[a-z]+(-[a-z]+)*$`)
	var codes []string
	for _, f := range parseDir(t, layer) {
		composers := map[string]bool{}
		var enclosing []string // names of the functions around the node, outermost first
		var stack []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				if _, ok := stack[len(stack)-1].(*ast.FuncLit); ok {
					enclosing = enclosing[:len(enclosing)-1]
				}
				stack = stack[:len(stack)-1]
				return false
			}
			if lit, ok := n.(*ast.FuncLit); ok {
				enclosing = append(enclosing, assignedTo(stack, lit))
			}
			if text, ok := literal(n); ok && whole.MatchString(text) {
				codes = append(codes, text)
			}
			if sum, ok := n.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
				if text, ok := literal(sum.X); ok && text == layer+"." {
					if _, ok := sum.Y.(*ast.Ident); !ok || len(enclosing) == 0 || enclosing[len(enclosing)-1] == "" {
						t.Errorf("layer %s puts a code together in a way that this test cannot read", layer)
					} else {
						composers[enclosing[len(enclosing)-1]] = true
					}
				}
			}
			stack = append(stack, n)
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name, ok := call.Fun.(*ast.Ident)
			if !ok || !composers[name.Name] {
				return true
			}
			switch kinds := kindsIn(t, call.Args[0]); {
			case len(kinds) > 0:
				for _, k := range kinds {
					codes = append(codes, layer+"."+k)
				}
			default:
				t.Errorf("layer %s calls %s with a code that this test cannot read", layer, name.Name)
			}
			return true
		})
	}
	return codes
}

// kindsIn is a literal, or all kinds of certificate problems for string(p.Kind).
func kindsIn(t *testing.T, arg ast.Expr) []string {
	if text, ok := literal(arg); ok {
		return []string{text}
	}
	call, ok := arg.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return nil
	}
	if sel, ok := call.Args[0].(*ast.SelectorExpr); !ok || sel.Sel.Name != "Kind" {
		return nil
	}
	var kinds []string
	for _, f := range parseDir(t, filepath.Join("..", "certs")) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" {
				if text, ok := literal(spec.Values[0]); ok {
					kinds = append(kinds, text)
				}
			}
			return true
		})
	}
	return kinds
}

// assignedTo is the variable that a function literal is assigned to.
func assignedTo(stack []ast.Node, lit *ast.FuncLit) string {
	if len(stack) == 0 {
		return ""
	}
	assign, ok := stack[len(stack)-1].(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 1 || assign.Rhs[0] != lit {
		return ""
	}
	name, ok := assign.Lhs[0].(*ast.Ident)
	if !ok {
		return ""
	}
	return name.Name
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func parseDir(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatal(fmt.Errorf("no source in %s: %w", dir, fs.ErrNotExist))
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
