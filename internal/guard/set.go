package guard

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
)

// Name is that of the set of files.
const Name = "guard"

var (
	//go:embed apply.sh
	applyScript string
	//go:embed remove.sh
	removeScript string
	//go:embed watch.sh
	watchScript string
)

const dropIn = "docker.service.d/50-docker-vpn-helper-guard.conf"

// Gone is the set as far as its removal needs it.
func Gone() hostrules.Set {
	return hostrules.Set{Name: Name, Files: map[string]string{"remove": hostrules.Lock + removeScript}}
}

// Set is the set of files for the settings on a docker host.
func (f *Facts) Set(s Settings) hostrules.Set {
	set := Gone()
	set.Files["apply"] = hostrules.Lock + applyScript
	set.Files["settings"] = s.Text()
	set.Files["socket"] = f.Socket + "\n"
	set.Files["ifaces"] = strings.Join(s.Public, "\n") + "\n"
	set.Files["v4"], set.Files["v6"] = f.forward(s, false), f.forward(s, true)
	strict := "-"
	if s.Strict {
		strict = ""
	}
	set.Units = map[string]string{dropIn: "[Service]\nExecStartPre=" + strict + "@DIR@/apply\n"}
	set.Boot = "bootsync.sh"
	if f.UsesCgroup() {
		set.Files["table.nft"], set.Files["cgroup"] = f.table(s), f.Group+"\n"
	} else {
		set.Files["v4.in"], set.Files["v6.in"] = f.proxied(s, false), f.proxied(s, true)
		set.Files["watch"], set.Files["changes"] = watchScript, f.portsFile()+"\n"
		maps.Copy(set.Units, f.follower().Units())
		set.Start = []string{f.follower().PathUnit()}
	}
	if f.Rules.Systemd {
		set.Boot = ""
	} else {
		set.Units, set.Start = map[string]string{}, nil
	}
	return set
}

// follower has systemd run apply when dockerd has written down an address or a port.
func (f *Facts) follower() hostrules.Follower {
	return hostrules.Follower{
		Name: "docker-vpn-helper-guard", Description: "docker-vpn-helper guard: close published ports",
		File: f.portsFile(), Command: "@DIR@/apply " + f.portsFile(),
	}
}

// portsFile is where dockerd writes down the addresses and ports of containers.
func (f *Facts) portsFile() string { return f.Root + "/network/files/local-kv.db" }

// ports are the published ones that stay open: what is allowed, and what the session needs.
func (f *Facts) ports(s Settings) []Port {
	all := slices.Clone(s.Allow)
	if p, ok := f.sessionPort(); ok && !slices.Contains(all, p) {
		all = append(all, p)
	}
	return all
}

// forward are the rules of DOCKER-PUB, which sees what is forwarded. The direction, not the
// state, lets answers pass: connections to a port that is denied now end.
func (f *Facts) forward(s Settings, v6 bool) string {
	lines := []string{"-m conntrack --ctdir REPLY -j RETURN", "-m conntrack --ctstate RELATED -j RETURN"}
	for _, p := range f.ports(s) {
		if p.covers(v6) {
			lines = append(lines, fmt.Sprintf("%s-p %s -m conntrack --ctstate DNAT --ctorigdstport %d -j RETURN", source(p), p.protocol(), p.Port))
		}
	}
	lines = append(lines, "-m conntrack --ctstate DNAT -j DROP", "-o docker+ -j DROP", "-o br-+ -j DROP")
	for _, bridge := range f.CustomBridges() {
		lines = append(lines, "-o "+bridge+" -j DROP")
	}
	return rules("DOCKER-PUB", lines)
}

// proxied are the rules of DOCKER-PUB-IN before those of the ports that docker publishes,
// which apply adds.
func (f *Facts) proxied(s Settings, v6 bool) string {
	lines := []string{"-m conntrack --ctdir REPLY -j RETURN", "-m conntrack --ctstate RELATED -j RETURN"}
	for _, p := range f.ports(s) {
		if p.covers(v6) {
			lines = append(lines, fmt.Sprintf("%s-p %s -m %s --dport %d -j RETURN", source(p), p.protocol(), p.protocol(), p.Port))
		}
	}
	return rules("DOCKER-PUB-IN", lines)
}

// source is the match of a port's clients, as iptables-save prints it.
func source(p Port) string {
	if !p.From.IsValid() {
		return ""
	}
	return "-s " + p.From.String() + " "
}

func rules(chain string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("-A " + chain + " " + l + "\n")
	}
	return b.String()
}

// table is nft's table. One chain is for what reaches docker-proxy: sockets of the cgroup of
// docker.service. The other has the rules of DOCKER-PUB once more: firewalld flushes iptables'
// tables, and leaves those of others. The doubled head makes the exchange of tables one
// transaction, the first time too.
func (f *Facts) table(s Settings) string {
	var b strings.Builder
	chain := func(name, hook string) {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority mangle; policy accept;\n", name, hook)
		fmt.Fprintf(&b, "\t\tiifname != { %s } return\n", `"`+strings.Join(s.Public, `", "`)+`"`)
		b.WriteString("\t\tct direction reply return\n\t\tct state related return\n")
	}
	b.WriteString("table inet dvh_guard\ndelete table inet dvh_guard\ntable inet dvh_guard {\n")
	chain("forward", "forward")
	for _, p := range f.ports(s) {
		fmt.Fprintf(&b, "\t\t%sct status dnat meta l4proto %s ct original proto-dst %d return\n", client(p), p.protocol(), p.Port)
	}
	b.WriteString("\t\tct status dnat drop\n\t\toifname \"docker*\" drop\n\t\toifname \"br-*\" drop\n")
	for _, bridge := range f.CustomBridges() {
		fmt.Fprintf(&b, "\t\toifname \"%s\" drop\n", bridge)
	}
	b.WriteString("\t}\n")
	chain("input", "input")
	fmt.Fprintf(&b, "\t\tsocket cgroupv2 level %d \"%s\" jump published\n\t}\n\tchain published {\n", f.Level, f.Group)
	for _, p := range append(f.ports(s), f.Own()...) {
		fmt.Fprintf(&b, "\t\t%s%s dport %d return\n", client(p), p.protocol(), p.Port)
	}
	b.WriteString("\t\tdrop\n\t}\n}\n")
	return b.String()
}

// client is the match of a port's clients, as nft has it.
func client(p Port) string {
	switch {
	case !p.From.IsValid():
		return ""
	case p.From.Addr().Is4():
		return "ip saddr " + p.From.String() + " "
	}
	return "ip6 saddr " + p.From.String() + " "
}

// The ways in which guard closes ports that docker-proxy serves: for every socket of dockerd's
// cgroup, or by a list of ports.
const (
	ByCgroup = "cgroup"
	ByList   = "list"
)

// Method is the way that is used.
func (f *Facts) Method() string {
	if f.UsesCgroup() {
		return ByCgroup
	}
	return ByList
}

// RuleFiles are the files of the set that have rules.
func RuleFiles() []string { return []string{"v4", "v6", "table.nft", "v4.in", "v6.in"} }

// Difference are the lines that the settings add to the files of rules (+) and take out of
// them (-).
func (f *Facts) Difference(s Settings) []string {
	is, want := map[string]string{}, f.Set(s).Files
	if f.Rules.Installed != nil {
		is = f.Rules.Installed.Files
	}
	var all []string
	for _, name := range RuleFiles() {
		old, wanted := lines(is[name]), lines(want[name])
		for _, side := range []struct {
			mark     string
			of, than []string
		}{{"-", old, wanted}, {"+", wanted, old}} {
			for _, l := range side.of {
				if !slices.Contains(side.than, l) {
					all = append(all, fmt.Sprintf("%s %s: %s", side.mark, name, strings.TrimSpace(l)))
				}
			}
		}
	}
	return all
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
