package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Drift is a way in which a docker host is not as guard has left it.
type Drift struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Active reports whether guard is on.
func (f *Facts) Active() bool { return f.Rules.Installed != nil || f.Rules.Pending != nil }

// Settings are those that are in effect; the zero Settings if guard is off.
func (f *Facts) Settings() (Settings, error) {
	if !f.Active() {
		return Settings{}, nil
	}
	return ParseSettings(f.set().Files["settings"])
}

// Drift is all that is not as the settings want it; none if guard is off.
func (f *Facts) Drift(s Settings) []Drift {
	if !f.Active() {
		return nil
	}
	d := &drifts{Facts: f, settings: s}
	d.files()
	for _, tool := range []netfilter.Tool{netfilter.IPTables, netfilter.IP6Tables} {
		d.chains(tool)
	}
	d.inputTable()
	d.unit()
	d.docker()
	return d.all
}

type drifts struct {
	*Facts
	settings Settings
	all      []Drift
}

func (d *drifts) add(kind, format string, args ...any) {
	d.all = append(d.all, Drift{kind, fmt.Sprintf(format, args...)})
}

// set is the one that is in effect.
func (f *Facts) set() *hostrules.Set {
	if f.Rules.Pending != nil {
		return &f.Rules.Pending.Set
	}
	return f.Rules.Installed
}

// files compares the set with what the settings make of the docker host as it is now.
func (d *drifts) files() {
	is, want := d.set(), d.Set(d.settings)
	outgrown := d.outgrown(is.Files)
	for _, name := range slices.Sorted(maps.Keys(want.Files)) {
		text, there := is.Files[name]
		switch {
		case text == want.Files[name]:
		case !there:
			d.add("file-missing", "%s/%s is missing", d.Rules.Dir, name)
		case !outgrown || !slices.Contains(RuleFiles(), name):
			d.add("file-changed", "%s/%s was changed", d.Rules.Dir, name)
		}
	}
}

// outgrown reports what docker has now that the rules do not know, and whether there is any.
func (d *drifts) outgrown(files map[string]string) bool {
	before := len(d.all)
	for _, bridge := range d.CustomBridges() {
		if !strings.Contains(files["v4"], "-o "+bridge+" -j DROP\n") {
			d.add("bridge-unknown", "the bridge %s of a docker network is not in guard's rules: containers there are reachable by their addresses", bridge)
		}
	}
	for _, p := range d.Own() {
		if d.UsesCgroup() && !strings.Contains(files["table.nft"], fmt.Sprintf("\t%s dport %d return\n", p.protocol(), p.Port)) {
			d.add("dockerd-closed", "dockerd listens on %s, which guard closes", p)
		}
	}
	return len(d.all) > before
}

// chains compares the kernel's rules of a family with the files.
func (d *drifts) chains(tool netfilter.Tool) {
	if tool == netfilter.IP6Tables && !d.hasIPv6() {
		return
	}
	file := map[netfilter.Tool]string{netfilter.IPTables: "v4", netfilter.IP6Tables: "v6"}[tool]
	want := map[string]string{"DOCKER-PUB": d.set().Files[file]}
	hooks := map[string]string{"DOCKER-PUB": "FORWARD"}
	if !d.UsesCgroup() {
		want["DOCKER-PUB-IN"], hooks["DOCKER-PUB-IN"] = d.set().Files[file+".in"], "INPUT"
	}
	var with []*netfilter.Table // with our chains
	for _, t := range d.Tables {
		if t.Tool == tool && t.Name == "mangle" && t.Chain("DOCKER-PUB") != nil {
			with = append(with, t)
		}
	}
	switch {
	case len(with) == 0:
		d.add("chain-missing", "%s has no chain DOCKER-PUB: %s", tool, d.without("its ports are open"))
		return
	case len(with) > 1:
		d.add("two-backends", "%s has the chain DOCKER-PUB in both backends, nft and legacy", tool)
	}
	for _, chain := range slices.Sorted(maps.Keys(want)) {
		d.chain(with[0], hooks[chain], chain, want[chain])
	}
	d.otherBackend(tool, with[0].Backend)
}

// without is what follows where rules of iptables are missing: nft's table has them once more.
func (d *drifts) without(open string) string {
	if d.UsesCgroup() && strings.Contains(d.Table, "chain forward") {
		return "nft's table alone closes its ports now"
	}
	return open
}

// otherBackend reports rules of the backend that guard is not in: both act.
func (d *drifts) otherBackend(tool netfilter.Tool, ours netfilter.Backend) {
	for _, t := range d.Tables {
		if t.Tool != tool || t.Backend == ours {
			continue
		}
		for _, c := range t.Chains {
			if len(c.Rules) > 0 && c.Name != "DOCKER-PUB" && t.Chain("DOCKER-PUB") == nil {
				d.add("two-backends", "%s has rules in the %s backend, too, in table %s: guard is in the %s one, and both act", tool, t.Backend, t.Name, ours)
				return
			}
		}
	}
}

// chain compares one chain, and the calls of it.
func (d *drifts) chain(t *netfilter.Table, hook, name, want string) {
	c := t.Chain(name)
	if c == nil {
		d.add("chain-missing", "%s has no chain %s: docker-proxy's ports are open", t.Tool, name)
		return
	}
	var is []string
	for _, r := range c.Rules {
		is = append(is, "-A "+name+" "+r.Text)
	}
	wanted := lines(want)
	if !slices.Equal(wanted, is[:min(len(is), len(wanted))]) || name == "DOCKER-PUB" && len(is) != len(wanted) {
		d.add("chain-changed", "the rules of %s mangle %s were changed", t.Tool, name)
	}
	if name == "DOCKER-PUB-IN" {
		d.listed(t, is)
	}
	d.jumps(t, hook, name)
}

// jumps compares the calls of a chain with the public interfaces. They are the first rules
// of hook.
func (d *drifts) jumps(t *netfilter.Table, hook, name string) {
	calls := map[string]int{}
	if c := t.Chain(hook); c != nil {
		for _, r := range c.Rules {
			if r.Target.Call == name {
				calls[r.Text] = r.Number
			}
		}
	}
	for _, iface := range d.settings.Public {
		text := "-i " + iface + " -j " + name
		number, there := calls[text]
		delete(calls, text)
		switch {
		case !there:
			d.add("jump-missing", "%s mangle %s does not call %s for %s: %s", t.Tool, hook, name, iface, d.without("its ports are open"))
		case number > len(d.settings.Public):
			d.add("jump-displaced", "%s mangle %s calls %s for %s as rule %d, behind rules of others", t.Tool, hook, name, iface, number)
		}
	}
	for text, number := range calls {
		d.add("jump-foreign", "%s mangle %s rule %d is not guard's: %s", t.Tool, hook, number, text)
	}
}

// listed compares the published ports with the list of those that are closed.
func (d *drifts) listed(t *netfilter.Table, rules []string) {
	for _, c := range d.Containers {
		for _, b := range c.Published {
			p := Port{Port: b.HostPort, UDP: b.UDP}
			text := fmt.Sprintf("-A DOCKER-PUB-IN -p %s -m %s --dport %d -j DROP", p.protocol(), p.protocol(), p.Port)
			missing := Drift{"port-not-listed", fmt.Sprintf("%s of %s is not in %s mangle DOCKER-PUB-IN", p, c.Name, t.Tool)}
			if c.PID != 0 && !slices.Contains(rules, text) && !slices.Contains(d.all, missing) {
				d.all = append(d.all, missing)
			}
		}
	}
}

// hasIPv6 reports whether the kernel has IPv6: then its loopback interface has an address.
func (f *Facts) hasIPv6() bool {
	_, there := f.Sysctl["net.ipv6.conf.all.forwarding"]
	return there
}

// inputTable compares nft's table with what apply has loaded.
func (d *drifts) inputTable() {
	if !d.UsesCgroup() {
		if d.Group != "" && d.Matches == "yes" {
			d.add("method-outdated", "the kernel can match docker's cgroup now, and guard uses a list of ports")
		}
		return
	}
	switch {
	case d.Table == "":
		d.add("table-missing", "nft's table inet dvh_guard is missing: IPv6, and whatever else docker-proxy serves, is open")
	case d.Runs && !strings.Contains(d.Table, `"`+d.Group+`"`):
		d.add("cgroup-stale", "nft's table inet dvh_guard is about a cgroup of docker.service that is gone: what docker-proxy serves is open")
	case d.Loaded != "" && d.Table != d.Loaded:
		d.add("table-changed", "nft's table inet dvh_guard was changed")
	}
}

// unit looks at what loads the rules at the next boot.
func (d *drifts) unit() {
	if d.Rules.Pending != nil && d.Rules.Installed == nil || !d.Rules.Systemd {
		if !d.Rules.Systemd && d.Rules.AtBoot && d.Rules.Installed != nil && !strings.Contains(d.Rules.Installed.Boot, "bootsync.sh") {
			d.add("boot-line-missing", "/var/lib/boot2docker/bootsync.sh does not run guard: it is gone after the next boot")
		}
		return
	}
	text, there := d.Rules.Installed.Units[dropIn]
	want := d.Set(d.settings).Units
	switch {
	case !there || text == "":
		d.add("drop-in-missing", "%s is missing: guard is gone after the next boot", "/etc/systemd/system/"+dropIn)
	case text != want[dropIn]:
		d.add("drop-in-changed", "%s was changed", "/etc/systemd/system/"+dropIn)
	case d.Reload:
		d.add("drop-in-not-read", "systemd has not read the unit files of docker.service since they were changed")
	case !strings.Contains(d.StartPre, d.Rules.Dir+"/apply"):
		d.add("drop-in-masked", "docker.service does not run guard before dockerd: another file overrides the drop-in")
	}
	pathUnit := d.follower().PathUnit()
	if want[pathUnit] != "" && d.Path != "active" {
		d.add("path-unit-inactive", "%s does not run: new ports stay open", pathUnit)
	}
}

// docker looks at what has changed around guard.
func (d *drifts) docker() {
	for _, name := range d.settings.Public {
		if d.settings.Auto && len(d.DefaultInterfaces()) > 0 && !slices.Contains(d.DefaultInterfaces(), name) {
			d.add("interface-outdated", "%s has no default route any more: it is %s now", name, strings.Join(d.DefaultInterfaces(), ", "))
		}
	}
	for _, name := range d.DefaultInterfaces() {
		if d.settings.Auto && !slices.Contains(d.settings.Public, name) {
			d.add("interface-outdated", "%s has a default route, and its ports are open", name)
		}
	}
}
