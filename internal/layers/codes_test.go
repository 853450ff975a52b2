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
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// mustExist are the codes on which scripts may rely.
const mustExist = `machine.missing machine.config-unreadable machine.driver-unsupported
machine.not-running route.ok route.hijacked route.missing route.stale route.colliding route.interface-down
forward.ok forward.rule-missing forward.port-taken forward.open-to-network ssh.ok ssh.refused ssh.timeout
ssh.closed-before-banner ssh.rate-limited ssh.auth-failed ssh.host-key-changed tls.ok tls.name-missing tls.expired
tls.expires-soon tls.not-yet-valid tls.wrong-ca tls.key-mismatch tls.client-cert-rejected tls.no-client-auth
tls.drift tls.ca-expires-soon tls.ca-expired tls.ca-unusable daemon.ok daemon.other-machine daemon.unreachable
daemon.not-docker daemon.api-too-old env.ok env.unset env.points-elsewhere env.proxy-captures`

func TestEveryFindingCodeHasItsPage(t *testing.T) {
	reported := map[string]bool{}
	for _, layer := range names(t) {
		reported[layer+".unknown"] = true // the engine reports it when the inspection itself fails
		for _, d := range tables()[layer] {
			reported[d.Code] = true
			if !strings.HasPrefix(d.Code, layer+".") {
				t.Errorf("%s is in the table of layer %s", d.Code, layer)
			}
		}
	}
	for _, code := range hinted(t) {
		reported[code] = true // a page that only hints lead to
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

// tables returns all findings that each layer can report.
func tables() map[string]engine.Table {
	all := map[string]engine.Table{}
	for _, l := range append(everyLayer(), Context(dockercontext.Wish{})...) {
		all[l.Name] = append(all[l.Name], l.Findings...)
	}
	return all
}

// everyLayer returns the layers of all kinds of docker hosts.
func everyLayer() (all []engine.Layer) {
	for _, k := range target.AllKinds() {
		if k != target.Context { // it has its endpoint's
			all = append(all, Of(k)...)
		}
	}
	return all
}

// Every kind of problem of a certificate has a finding.
func TestEveryCertificateProblemIsReported(t *testing.T) {
	table := tables()["tls"]
	for _, f := range parseDir(t, "../certs") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			kind, isKind := spec.Type.(*ast.Ident)
			text, isText := literal(spec.Values[0])
			if isKind && isText && kind.Name == "Kind" && !slices.ContainsFunc(table, func(d engine.Definition) bool { return d.Code == "tls."+text }) {
				t.Errorf("tls reports no %s", text)
			}
			return true
		})
	}
}

// fromTable checks that a finding is one of its layer's table, with evidence that fits its title.
func fromTable(t *testing.T, layer string, f engine.Finding) {
	t.Helper()
	known := slices.ContainsFunc(tables()[layer], func(d engine.Definition) bool {
		return d.Code == f.Code && (d.Status == f.Status || d.Status == engine.Fail && f.Status == engine.Warn)
	})
	if !known && f.Code != layer+".unknown" {
		t.Errorf("%s %s is not in the table of %s", f.Code, f.Status, layer)
	}
	if strings.Contains(f.Title, "%!") {
		t.Errorf("%s: %s", f.Code, f.Title)
	}
}

// hinted returns the codes of the hints to run explain.
func hinted(t *testing.T) []string {
	code := regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)
	dirs := append([]string{"../cli", "../changes", "../target", "../dockermachine"}, sources(t)...)
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

// names returns the names of all layers, also those that are not part of doctor.
func names(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "testdata" && e.Name() != "hosts" {
			all = append(all, e.Name())
		}
	}
	for _, l := range everyLayer() {
		if _, err := os.Stat(filepath.Join("hosts", l.Name)); err == nil && !slices.Contains(all, l.Name) {
			all = append(all, l.Name)
		} else if !slices.Contains(all, l.Name) {
			t.Errorf("layer %s has no directory of its name", l.Name)
		}
	}
	return all
}

// sources returns the directories of the layers.
func sources(t *testing.T) (dirs []string) {
	t.Helper()
	for _, pattern := range []string{"*/*.go", "hosts/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			dirs = append(dirs, filepath.Dir(f))
		}
	}
	return slices.Compact(dirs)
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
