package guard

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Name is the name of the set of files.
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

// Removal returns the part of the set that its removal needs: the script remove.
func Removal() hostrules.Set {
	return hostrules.Set{Name: Name, Files: map[string]string{"remove": hostrules.Lock + removeScript}}
}

// Set returns the files that put the settings into effect on the docker host.
func (f *Facts) Set(s Settings) hostrules.Set {
	set := Removal()
	set.Files["apply"] = hostrules.Lock + applyScript
	set.Files["settings"] = s.Text()
	set.Files["socket"] = f.Socket + "\n"
	set.Files["ifaces"] = strings.Join(s.Public, "\n") + "\n"
	set.Files["v4"], set.Files["v6"] = f.forward(s, packet.IPv4), f.forward(s, packet.IPv6)
	ignoreFailure := "-"
	if s.Strict {
		ignoreFailure = ""
	}
	set.Units = map[string]string{dropIn: "[Service]\nExecStartPre=" + ignoreFailure + "@DIR@/apply\n"}
	set.Boot = "bootsync.sh"
	if f.UsesCgroup() {
		set.Files["table.nft"], set.Files["cgroup"] = f.table(s), f.Cgroup+"\n"
	} else {
		set.Files["v4.in"], set.Files["v6.in"] = f.proxied(s, packet.IPv4), f.proxied(s, packet.IPv6)
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

// follower has systemd run apply when dockerd has assigned an address or a port.
func (f *Facts) follower() hostrules.Follower {
	return hostrules.Follower{
		Name: "docker-vpn-helper-guard", Description: "docker-vpn-helper guard: close published ports",
		File: f.portsFile(), Command: "@DIR@/apply changed",
	}
}

// portsFile is the file on the docker host where dockerd keeps containers' addresses and ports.
func (f *Facts) portsFile() string { return f.DockerRoot + "/network/files/local-kv.db" }

// openPorts returns the published ports that stay open: the allowed ones, and that of the SSH
// session in which the docker host was asked.
func (f *Facts) openPorts(s Settings) []Port {
	all := slices.Clone(s.Allow)
	if p, ok := f.sessionPort(); ok && !slices.Contains(all, p) {
		all = append(all, p)
	}
	return all
}

// forward returns the rules of DOCKER-PUB, which sees forwarded packets. Answers pass because of their
// direction. The state ESTABLISHED would also let existing connections to a port pass that is closed now.
func (f *Facts) forward(s Settings, family packet.Family) string {
	lines := []string{"-m conntrack --ctdir REPLY -j RETURN", "-m conntrack --ctstate RELATED -j RETURN"}
	for _, p := range f.openPorts(s) {
		if p.openTo(family) {
			lines = append(lines, fmt.Sprintf("%s-p %s -m conntrack --ctstate DNAT --ctorigdstport %d -j RETURN", source(p), p.protocol(), p.Port))
		}
	}
	lines = append(lines, "-m conntrack --ctstate DNAT -j DROP", "-o docker+ -j DROP", "-o br-+ -j DROP")
	for _, bridge := range f.CustomBridges() {
		lines = append(lines, "-o "+bridge+" -j DROP")
	}
	return rules("DOCKER-PUB", lines)
}

// proxied returns the first rules of DOCKER-PUB-IN, which sees packets for docker-proxy. The
// script apply adds one for each published port.
func (f *Facts) proxied(s Settings, family packet.Family) string {
	lines := []string{"-m conntrack --ctdir REPLY -j RETURN", "-m conntrack --ctstate RELATED -j RETURN"}
	for _, p := range f.openPorts(s) {
		if p.openTo(family) {
			lines = append(lines, fmt.Sprintf("%s-p %s -m %s --dport %d -j RETURN", source(p), p.protocol(), p.protocol(), p.Port))
		}
	}
	return rules("DOCKER-PUB-IN", lines)
}

// source returns the match of a port's clients in the syntax of iptables-save, followed by a
// space; "" for everyone.
func source(p Port) string {
	if !p.From.IsValid() {
		return ""
	}
	return "-s " + p.From.String() + " "
}

// rules returns the lines as rules of a chain, in the syntax of iptables-restore.
func rules(chain string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("-A " + chain + " " + l + "\n")
	}
	return b.String()
}

// table returns our nft table as a script for nft -f. Chain input is for docker-proxy: it matches
// sockets of docker.service's cgroup. Chain forward repeats the rules of DOCKER-PUB, because
// firewalld flushes iptables' tables but not those of other programs. Declaring the table before
// deleting it makes the script work whether the table exists or not, as one transaction.
func (f *Facts) table(s Settings) string {
	var b strings.Builder
	chain := func(name, hook string) {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority mangle; policy accept;\n", name, hook)
		fmt.Fprintf(&b, "\t\tiifname != { %s } return\n", `"`+strings.Join(s.Public, `", "`)+`"`)
		b.WriteString("\t\tct direction reply return\n\t\tct state related return\n")
	}
	b.WriteString("table inet dvh_guard\ndelete table inet dvh_guard\ntable inet dvh_guard {\n")
	chain("forward", "forward")
	for _, p := range f.openPorts(s) {
		fmt.Fprintf(&b, "\t\t%sct status dnat meta l4proto %s ct original proto-dst %d return\n", client(p), p.protocol(), p.Port)
	}
	b.WriteString("\t\tct status dnat drop\n\t\toifname \"docker*\" drop\n\t\toifname \"br-*\" drop\n")
	for _, bridge := range f.CustomBridges() {
		fmt.Fprintf(&b, "\t\toifname \"%s\" drop\n", bridge)
	}
	b.WriteString("\t}\n")
	chain("input", "input")
	fmt.Fprintf(&b, "\t\tsocket cgroupv2 level %d \"%s\" jump published\n\t}\n\tchain published {\n", f.CgroupLevel, f.Cgroup)
	for _, p := range append(f.openPorts(s), f.DockerdPorts()...) {
		fmt.Fprintf(&b, "\t\t%s%s dport %d return\n", client(p), p.protocol(), p.Port)
	}
	b.WriteString("\t\tdrop\n\t}\n}\n")
	return b.String()
}

// client returns the match of a port's clients in nft's syntax, followed by a space; "" for everyone.
func client(p Port) string {
	switch {
	case !p.From.IsValid():
		return ""
	case p.From.Addr().Is4():
		return "ip saddr " + p.From.String() + " "
	}
	return "ip6 saddr " + p.From.String() + " "
}

// How guard closes the ports that docker-proxy serves: for every socket of docker's cgroup, or port by port.
const (
	ByCgroup = "cgroup"
	ByList   = "list"
)

// Method returns the method used on this docker host: ByCgroup or ByList.
func (f *Facts) Method() string {
	if f.UsesCgroup() {
		return ByCgroup
	}
	return ByList
}

// RuleFiles returns the names of the set's files that contain rules.
func RuleFiles() []string { return []string{"v4", "v6", "table.nft", "v4.in", "v6.in"} }

// Difference returns the lines that the settings add to the installed rule files (marked "+")
// and remove from them ("-").
func (f *Facts) Difference(s Settings) []string {
	is, want := map[string]string{}, f.Set(s).Files
	if f.Rules.Installed != nil {
		is = f.Rules.Installed.Files
	}
	var all []string
	for _, name := range RuleFiles() {
		old, wanted := lines(is[name]), lines(want[name])
		for _, side := range []struct {
			mark        string
			lines, less []string
		}{{"-", old, wanted}, {"+", wanted, old}} {
			for _, l := range side.lines {
				if !slices.Contains(side.less, l) {
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
