package internal

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/docker-vpn-helper/docker-vpn-helper"

type listed struct {
	ImportPath string
	Imports    []string
	Error      *struct{ Err string }
}

// packages are all packages of the module as built for an operating system.
func packages(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Error", module+"/...")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestWhoMayImportWhom holds the tree to its layout: see docs/design.md.
func TestWhoMayImportWhom(t *testing.T) {
	// what is imported -> the only packages (and those below them) that may
	only := map[string][]string{
		"os/exec":                           {"internal/host", "internal/lab"},
		"github.com/docker/machine":         {"internal/store"},
		"golang.org/x/crypto/ssh":           {"internal/sshhost", "internal/lab"},
		"github.com/fatih/color":            {"internal/ui", "cmd", "internal/lab"},
		"github.com/spf13/cobra":            {"internal/cli", "cmd"},
		"github.com/vishvananda/netlink":    {"internal/host", "internal/lab"},
		"github.com/gofrs/flock":            {"internal/host", "internal/lab"},
		"github.com/google/renameio":        {"internal/host", "internal/lab"},
		"golang.org/x/term":                 {"internal/ui", "internal/lab"},
		"log":                               {"cmd", "internal/lab"},
		"runtime":                           {"internal/host", "cmd", "internal/lab"},
		module + "/internal/layers":         {"internal/layers", "internal/cli"},
		module + "/internal/changes":        {"internal/changes", "internal/layers", "internal/cli"},
		module + "/internal/cli":            {"cmd", "internal/lab"},
		module + "/internal/ui":             {"internal/cli", "internal/lab"},
		module + "/internal/lab":            {"internal/lab"},
		module + "/internal/layers/machine": {"internal/layers"},
	}
	// a part -> all packages of the module that it may import
	parts := map[string][]string{
		"internal/memo":    {},
		"internal/relay":   {},
		"internal/proxy":   {"internal/certs", "internal/relay", "internal/shell"},
		"internal/journal": {"internal/host", "internal/target", "internal/text"},
		"internal/laptop":  {"internal/host", "internal/memo", "internal/routes"},
		"internal/dockermachine": {"internal/hint", "internal/host", "internal/laptop", "internal/routes", "internal/shell", "internal/store", "internal/useraction",
			"internal/vbox", "internal/vbox/installation", "internal/virtualbox"},
		"internal/virtualbox":       {"internal/hint", "internal/host", "internal/laptop", "internal/memo", "internal/store", "internal/useraction", "internal/vbox", "internal/vbox/installation"},
		"internal/useraction":       {"internal/hint"},
		"internal/hint":             {"internal/shell"},
		"internal/mode":             {},
		"internal/text":             {},
		"internal/endpoint":         {"internal/certs", "internal/dockerd", "internal/host", "internal/memo", "internal/mode", "internal/shell", "internal/store", "internal/vbox", "internal/virtualbox"},
		"internal/access":           {"internal/dockerhost", "internal/host", "internal/memo", "internal/mode", "internal/sshhost", "internal/store", "internal/text", "internal/vbox", "internal/virtualbox"},
		"internal/ports":            {"internal/dockerd"},
		"internal/service":          {"internal/host"},
		"internal/follow":           {"internal/access", "internal/dockerd", "internal/host", "internal/ports", "internal/relay"},
		"internal/userssh":          {"internal/host", "internal/memo", "internal/relay", "internal/sshhost"},
		"internal/dockercli":        {"internal/host", "internal/memo"},
		"internal/netfilter":        {"internal/netfilter/match", "internal/netfilter/packet"},
		"internal/netfilter/match":  {"internal/netfilter/packet"},
		"internal/netfilter/packet": {},
		"internal/guard":            {"internal/dockerhost", "internal/host", "internal/hostrules", "internal/netfacts", "internal/netfilter", "internal/netfilter/packet"},
		"internal/firewall":         {"internal/netfacts", "internal/netfacts/writer", "internal/netfilter", "internal/netfilter/packet"},
		"internal/netfacts":         {"internal/dockerhost", "internal/host", "internal/netfacts/writer", "internal/netfilter", "internal/netfilter/nft", "internal/netfilter/packet", "internal/netfilter/saved"},
		"internal/hostrules":        {"internal/dockerhost", "internal/host", "internal/shell"},
		"internal/allowance":        {"internal/dockerhost", "internal/firewall", "internal/host", "internal/hostrules", "internal/netfacts", "internal/netfilter", "internal/netfilter/packet", "internal/netfilter/saved", "internal/shell"},
		"internal/dockerhost":       {"internal/certs", "internal/dockerd", "internal/host", "internal/memo", "internal/shell", "internal/text"},
	}
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range packages(t, goos) {
			from := strings.TrimPrefix(p.ImportPath, module+"/")
			for _, imported := range p.Imports {
				for what, who := range only {
					covered := imported == what || strings.Contains(what, ".") && within(imported, what)
					if covered && !slices.ContainsFunc(who, func(w string) bool { return within(from, w) }) {
						t.Errorf("%s (%s) imports %s, which only %v may", from, goos, imported, who)
					}
				}
				if may, part := parts[from]; part && within(imported, module) && !slices.Contains(may, strings.TrimPrefix(imported, module+"/")) {
					t.Errorf("%s imports %s: a part gets what it needs when it is made, and imports only %v", from, imported, may)
				}
				for _, apart := range []string{"internal/layers", "internal/changes"} {
					if strings.HasPrefix(from, apart+"/") && within(imported, module+"/"+apart) {
						t.Errorf("%s imports %s: packages in %s never import each other", from, imported, apart)
					}
				}
				if strings.HasPrefix(from, "internal/") && pure(from) && slices.Contains([]string{"os", "net/http", "context"}, imported) {
					t.Errorf("%s is pure and imports %s", from, imported)
				}
			}
		}
	}
}

// within reports whether path is base or below it.
func within(path, base string) bool { return path == base || strings.HasPrefix(path, base+"/") }

// pure packages turn text into values and values into text.
func pure(from string) bool {
	return slices.Contains([]string{"internal/vbox", "internal/vbox/installation", "internal/routes", "internal/certs", "internal/shell", "internal/hint", "internal/ports", "internal/service", "internal/netfilter", "internal/netfilter/match", "internal/netfilter/nft", "internal/netfilter/packet", "internal/netfilter/saved", "internal/netfacts/writer"}, from)
}
