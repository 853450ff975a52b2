package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Drift is one difference between a docker host and what guard installed there.
type Drift struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Active reports whether guard is on, confirmed or not.
func (f *Facts) Active() bool { return f.Rules.Installed != nil || f.Rules.Pending != nil }

// Settings returns the settings in effect; the zero Settings if guard is off.
func (f *Facts) Settings() (Settings, error) {
	if !f.Active() {
		return Settings{}, nil
	}
	return ParseSettings(f.set().Files["settings"])
}

// Drift returns every difference between the docker host and the settings; none if guard is off.
func (f *Facts) Drift(s Settings) []Drift {
	if !f.Active() {
		return nil
	}
	d := &comparison{Facts: f, settings: s}
	d.files()
	for _, tool := range []netfilter.Tool{netfilter.IPTables, netfilter.IP6Tables} {
		d.chains(tool)
	}
	d.nftTable()
	d.units()
	d.interfaces()
	return d.all
}

// comparison collects differences. Each of its methods compares one part of the docker host.
type comparison struct {
	*Facts
	settings Settings
	all      []Drift
}

func (d *comparison) add(kind, format string, args ...any) {
	d.all = append(d.all, Drift{kind, fmt.Sprintf(format, args...)})
}

// set returns the files in effect; guard must be on.
func (f *Facts) set() *hostrules.Set {
	if f.Rules.Pending != nil {
		return &f.Rules.Pending.Set
	}
	return f.Rules.Installed
}

// files compares the files with those that the settings need now.
func (d *comparison) files() {
	is, want := d.set(), d.Set(d.settings)
	outdated := d.outdated(is.Files)
	for _, name := range slices.Sorted(maps.Keys(want.Files)) {
		text, there := is.Files[name]
		switch {
		case text == want.Files[name]:
		case !there:
			d.add("file-missing", "%s/%s is missing", d.Rules.Dir, name)
		case !outdated || !slices.Contains(RuleFiles(), name):
			d.add("file-changed", "%s/%s was changed", d.Rules.Dir, name)
		}
	}
}

// outdated looks for bridges and ports of docker that the rules do not know yet, and reports whether there
// are any: the rule files then differ from what the settings need, but they have not been edited.
func (d *comparison) outdated(files map[string]string) bool {
	before := len(d.all)
	for _, bridge := range d.CustomBridges() {
		if !strings.Contains(files["v4"], "-o "+bridge+" -j DROP\n") {
			d.add("bridge-unknown", "guard's rules do not have the bridge %s of a docker network: its containers are reachable at their own addresses", bridge)
		}
	}
	for _, p := range d.DockerdPorts() {
		if d.UsesCgroup() && !strings.Contains(files["table.nft"], fmt.Sprintf("\t%s dport %d return\n", p.protocol(), p.Port)) {
			d.add("dockerd-closed", "dockerd itself listens on %s, which guard closes", p)
		}
	}
	return len(d.all) > before
}

// chains compares an address family's chains in the kernel with the files.
func (d *comparison) chains(tool netfilter.Tool) {
	if tool == netfilter.IP6Tables && !d.hasIPv6() {
		return
	}
	file := map[netfilter.Tool]string{netfilter.IPTables: "v4", netfilter.IP6Tables: "v6"}[tool]
	want := map[string]string{"DOCKER-PUB": d.set().Files[file]}
	hooks := map[string]string{"DOCKER-PUB": "FORWARD"}
	if !d.UsesCgroup() {
		want["DOCKER-PUB-IN"], hooks["DOCKER-PUB-IN"] = d.set().Files[file+".in"], "INPUT"
	}
	var ours []*netfilter.Table // the tables that have our chain
	for _, t := range d.Tables {
		if t.Tool == tool && t.Name == "mangle" && t.Chain("DOCKER-PUB") != nil {
			ours = append(ours, t)
		}
	}
	switch {
	case len(ours) == 0:
		d.add("chain-missing", "%s has no chain DOCKER-PUB: %s", tool, d.consequence())
		return
	case len(ours) > 1:
		d.add("two-backends", "%s has the chain DOCKER-PUB in both backends, nft and legacy", tool)
	}
	for _, chain := range slices.Sorted(maps.Keys(want)) {
		d.chain(ours[0], hooks[chain], chain, want[chain])
	}
	d.otherBackend(tool, ours[0].Backend)
}

// consequence says what missing iptables rules mean. The nft table repeats these rules.
func (d *comparison) consequence() string {
	if d.UsesCgroup() && strings.Contains(d.Table, "chain forward") {
		return "only guard's nft table closes the ports now"
	}
	return "the ports are open"
}

// otherBackend looks for rules in the backend that guard does not use. The kernel applies both.
func (d *comparison) otherBackend(tool netfilter.Tool, ours netfilter.Backend) {
	for _, t := range d.Tables {
		if t.Tool != tool || t.Backend == ours {
			continue
		}
		for _, c := range t.Chains {
			if len(c.Rules) > 0 && c.Name != "DOCKER-PUB" && t.Chain("DOCKER-PUB") == nil {
				d.add("two-backends", "%s also has rules in the %s backend, in table %s: guard uses the %s backend, and the kernel applies both", tool, t.Backend, t.Name, ours)
				return
			}
		}
	}
}

// chain compares one chain, and the rules of hook that call it.
func (d *comparison) chain(t *netfilter.Table, hook, name, want string) {
	c := t.Chain(name)
	if c == nil {
		d.add("chain-missing", "%s has no chain %s: the ports that docker-proxy serves are open", t.Tool, name)
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
		d.publishedPorts(t, is)
	}
	d.jumps(t, hook, name)
}

// jumps compares the rules of hook that call a chain with the public interfaces. They must be
// the first rules of hook.
func (d *comparison) jumps(t *netfilter.Table, hook, name string) {
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
			d.add("jump-missing", "%s mangle %s does not call %s for %s: %s", t.Tool, hook, name, iface, d.consequence())
		case number > len(d.settings.Public):
			d.add("jump-displaced", "%s mangle %s calls %s for %s only as rule %d, after rules of other programs", t.Tool, hook, name, iface, number)
		}
	}
	for text, number := range calls {
		d.add("jump-foreign", "%s mangle %s rule %d was not added by guard: %s", t.Tool, hook, number, text)
	}
}

// publishedPorts looks for published ports that have no rule in DOCKER-PUB-IN.
func (d *comparison) publishedPorts(t *netfilter.Table, rules []string) {
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

// hasIPv6 reports whether the docker host's kernel has IPv6.
func (f *Facts) hasIPv6() bool {
	_, there := f.Sysctl["net.ipv6.conf.all.forwarding"]
	return there
}

// nftTable compares our nft table with the one that apply loaded.
func (d *comparison) nftTable() {
	if !d.UsesCgroup() {
		if d.Cgroup != "" && d.CgroupMatch == "yes" {
			d.add("method-outdated", "guard uses a list of ports, although the kernel can match docker's cgroup now")
		}
		return
	}
	switch {
	case d.Table == "":
		d.add("table-missing", "the nft table inet dvh_guard is missing: ports that docker-proxy serves are open, among them all IPv6 ports")
	case d.DockerdRuns && !strings.Contains(d.Table, `"`+d.Cgroup+`"`):
		d.add("cgroup-stale", "the nft table inet dvh_guard matches a cgroup that docker.service no longer has: ports that docker-proxy serves are open")
	case d.LoadedTable != "" && d.Table != d.LoadedTable:
		d.add("table-changed", "the nft table inet dvh_guard was changed")
	}
}

// units checks what loads the rules at the next boot: units of systemd, or a line in a script of
// boot2docker. A set that is only pending has neither.
func (d *comparison) units() {
	if d.Rules.Installed == nil {
		return
	}
	if !d.Rules.Systemd {
		if d.Rules.AtBoot && !strings.Contains(d.Rules.Installed.Boot, "bootsync.sh") {
			d.add("boot-line-missing", "/var/lib/boot2docker/bootsync.sh does not run guard: it will be off after the next boot")
		}
		return
	}
	text, there := d.Rules.Installed.Units[dropIn]
	want := d.Set(d.settings).Units
	switch {
	case !there || text == "":
		d.add("drop-in-missing", "%s is missing: guard will be off after the next boot", "/etc/systemd/system/"+dropIn)
	case text != want[dropIn]:
		d.add("drop-in-changed", "%s was changed", "/etc/systemd/system/"+dropIn)
	case d.ReloadPending:
		d.add("drop-in-not-read", "systemd has not reloaded docker.service since its unit files were changed")
	case !strings.Contains(d.StartPre, d.Rules.Dir+"/apply"):
		d.add("drop-in-masked", "docker.service does not run guard before dockerd: another file overrides guard's drop-in")
	}
	pathUnit := d.follower().PathUnit()
	if want[pathUnit] != "" && d.PathUnit != "active" {
		d.add("path-unit-inactive", "%s is not active: new ports stay open", pathUnit)
	}
}

// interfaces compares the public interfaces with the default routes, if those define them.
func (d *comparison) interfaces() {
	for _, name := range d.settings.Public {
		if d.settings.Auto && len(d.DefaultInterfaces()) > 0 && !slices.Contains(d.DefaultInterfaces(), name) {
			d.add("interface-outdated", "%s no longer has a default route: %s has one now", name, strings.Join(d.DefaultInterfaces(), ", "))
		}
	}
	for _, name := range d.DefaultInterfaces() {
		if d.settings.Auto && !slices.Contains(d.settings.Public, name) {
			d.add("interface-outdated", "%s has a default route now, and ports are open there", name)
		}
	}
}
