package layers

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cmdline"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// Every hint of every transcript machine is a command line of known programs, in a form that they
// accept on that machine's laptop.
func TestHintsAreCommandsThatExist(t *testing.T) {
	programs, err := cmdline.Known("../../docs/man")
	check(t, err)
	eachMachine(t, func(t *testing.T, m transcript) {
		s := newStandIn(t, m)
		l, store := m.laptop(t, s.computer)
		l.standIn = s
		for _, f := range allFindings(diagnoseOn(t, m.target(t, l, store))) {
			line := f.Hint.String()
			if err := programs.Check(line, m.pastedOn()); err != nil {
				t.Errorf("%s: %v", f.Code, err)
			}
			if code, ok := strings.CutPrefix(line, "docker-vpn-helper explain "); ok && !strings.Contains("\n"+strings.Join(docs.Codes(), "\n")+"\n", "\n"+code+"\n") {
				t.Errorf("%s: no page %s", f.Code, code)
			}
		}
	})
}

// If fix would skip the route, the hint is the steps that restore it. The commands exist, and they
// work on a laptop that has lost the route.
func TestStepsOfARouteBringItBack(t *testing.T) {
	programs, err := cmdline.Known("../../docs/man")
	check(t, err)
	for _, os := range []string{"darwin", "linux"} {
		file := filepath.Join(t.TempDir(), "laptop.json")
		laptop := fakelaptop.New(os)
		laptop.VPNOn()
		laptop.VPNOff()
		laptop.Sudo = "root"
		check(t, laptop.Save(file))
		t.Setenv("FAKELAPTOP_FILE", file)
		for _, step := range routes.ReAdd(os, netip.MustParsePrefix("192.168.99.1/24"), "vboxnet0", netip.MustParseAddr("192.168.99.1")) {
			line := hint.Run(append([]string{"sudo"}, step.Argv...)...).String()
			if err := programs.Check(line, cmdline.Laptop{OS: os}); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			if code := fakelaptop.Commands()[filepath.Base(step.Argv[0])](step.Argv[1:]); code != 0 && !slices.Contains(step.Argv, "delete") {
				t.Errorf("%s: exit status %d", line, code) // there may be no route to delete
			}
		}
		after, err := fakelaptop.Load(file)
		check(t, err)
		if laptop.Reaches("192.168.99.100") || !after.Reaches("192.168.99.100") {
			t.Errorf("%s: %v", os, after.Routes)
		}
	}
}

// allFindings returns the findings of a report, including hidden ones.
func allFindings(r engine.Report) (all []engine.Finding) {
	for _, l := range r.Layers {
		all = append(append(all, l.Findings...), l.Hidden...)
	}
	return all
}

var virtualBoxVersion = regexp.MustCompile(`(?m)^-- \$ VBoxManage --version --\n(?:WARNING.*\n| .*\n)*(\d+)\.`)

// pastedOn returns the laptop on which the machine's hints are pasted.
func (m transcript) pastedOn() cmdline.Laptop {
	on := cmdline.Laptop{OS: "linux"}
	if strings.Contains(string(m.computer), "\nos darwin\n") {
		on.OS = "darwin"
	}
	if v := virtualBoxVersion.FindSubmatch(m.computer); v != nil {
		networks := on.OS == "darwin" && string(v[1]) >= "7"
		on.Networks = &networks
	}
	return on
}
