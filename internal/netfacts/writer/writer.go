// Package writer finds out what added a rule to a packet filter: the line of a script or of a file
// with saved rules, and the systemd unit that runs the script or loads the file. Pure: the docker
// host's files are given as text.
package writer

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Source is what added a rule. Fields that are not known are zero.
type Source struct {
	Unit    string `json:"unit,omitempty"`    // "secure-firewall.service"
	File    string `json:"file,omitempty"`    // "/opt/secure_firewall.sh"
	Line    int    `json:"line,omitempty"`    // from 1
	Program string `json:"program,omitempty"` // "docker", "ufw", "firewalld" …, recognized by the chain's name
}

// Files are the files of a docker host that may have added rules.
type Files struct {
	units []exec
	files map[string][]string // lines by path
	order []string            // the paths, sorted
	// Results that are kept, because many packets meet the same rule.
	rules   map[string][]written
	sources map[netfilter.Place]Source
}

// exec is a line such as ExecStart= of a unit.
type exec struct {
	unit    string
	file    string // the path of the unit or its drop-in
	command string
	enabled bool
}

// New reads the units. lines are "FILE:ExecStart=…", enabled the paths of enabled units' links.
func New(lines, enabled []string) Files {
	f := Files{files: map[string][]string{}, rules: map[string][]written{}, sources: map[netfilter.Place]Source{}}
	on := map[string]bool{}
	for _, link := range enabled {
		on[path.Base(link)] = true
	}
	for _, line := range lines {
		file, text, ok := strings.Cut(line, ":")
		_, command, ok2 := strings.Cut(text, "=")
		if !ok || !ok2 {
			continue
		}
		unit := path.Base(file)
		if dir := path.Base(path.Dir(file)); strings.HasSuffix(dir, ".service.d") {
			unit = strings.TrimSuffix(dir, ".d")
		}
		f.units = append(f.units, exec{unit: unit, file: file, command: strings.TrimLeft(command, " \t-@:+!"), enabled: on[unit]})
	}
	slices.SortStableFunc(f.units, func(a, b exec) int {
		switch {
		case a.enabled == b.enabled:
			return 0
		case a.enabled:
			return -1
		}
		return 1
	})
	return f
}

// Runs reports whether a unit runs the program with that path.
func (f *Files) Runs(program string) bool {
	return slices.ContainsFunc(f.units, func(e exec) bool { return slices.Contains(strings.Fields(e.command), program) })
}

// Add adds a file with its lines.
func (f *Files) Add(name string, lines []string) {
	if _, there := f.files[name]; !there {
		f.order = append(f.order, name)
		slices.Sort(f.order)
	}
	f.files[name] = lines
	delete(f.rules, name)
	clear(f.sources)
}

// Of finds out what added the rule, or set the policy, at a place.
func (f *Files) Of(p netfilter.Place) Source {
	s, known := f.sources[p]
	if known {
		return s
	}
	s = f.find(p)
	if f.sources != nil {
		f.sources[p] = s
	}
	return s
}

func (f *Files) find(p netfilter.Place) Source {
	var best Source
	for _, name := range f.order {
		if _, read := f.rules[name]; !read {
			f.rules[name] = rulesIn(name, f.files[name])
		}
		line := lineOf(name, f.rules[name], p)
		if line == 0 {
			continue
		}
		s := Source{File: name, Line: line, Unit: f.unitOf(name)}
		if best.File == "" || best.Unit == "" && s.Unit != "" {
			best = s
		}
	}
	if best.File != "" {
		return best
	}
	return ofProgram(p)
}

// unitOf returns the unit that runs a script or loads a file, or "". Either the unit names the file,
// directly or through scripts, or it loads files in that place by convention.
func (f *Files) unitOf(file string) string {
	if unit := f.namedBy(file, map[string]bool{}); unit != "" {
		return unit
	}
	for prefix, unit := range loaders {
		if strings.HasPrefix(file, prefix) {
			return unit
		}
	}
	return ""
}

// loaders are units that load files without naming them in the unit, by the beginning of the path.
var loaders = map[string]string{
	"/etc/rc.local": "rc-local.service", "/etc/rc.d/rc.local": "rc-local.service",
	"/etc/iptables/rules.v": "netfilter-persistent.service", "/etc/sysconfig/iptables": "iptables.service", "/etc/sysconfig/ip6tables": "ip6tables.service",
	"/etc/ufw/": "ufw.service", "/etc/firewalld/": "firewalld.service", "/etc/nftables": "nftables.service", "/etc/sysconfig/nftables": "nftables.service",
	"/etc/network/": "networking.service", "/etc/NetworkManager/dispatcher.d/": "NetworkManager-dispatcher.service",
	"/etc/networkd-dispatcher/": "networkd-dispatcher.service", "/etc/cron": "cron.service", "/var/spool/cron/": "cron.service",
	"/etc/wireguard/": "wg-quick@.service",
}

// namedBy returns the unit that names a file, directly or through scripts, or "".
func (f *Files) namedBy(file string, seen map[string]bool) string {
	if seen[file] {
		return ""
	}
	seen[file] = true
	for _, u := range f.units {
		if u.file == file || mentions(u.command, file) {
			return u.unit
		}
	}
	for _, name := range f.order {
		if name == file || !slices.ContainsFunc(f.files[name], func(line string) bool { return mentions(line, file) || sources(line, name, file) }) {
			continue
		}
		if unit := f.namedBy(name, seen); unit != "" {
			return unit
		}
	}
	return ""
}

// mentions reports whether a line contains a path as a whole word.
func mentions(line, file string) bool {
	for rest := line; ; {
		i := strings.Index(rest, file)
		if i < 0 {
			return false
		}
		after := rest[i+len(file):]
		if (i == 0 || !strings.ContainsRune(pathRunes, rune(rest[i-1]))) && (after == "" || !strings.ContainsRune(pathRunes, rune(after[0]))) {
			return true
		}
		rest = after
	}
}

// pathRunes are characters that can continue a path.
const pathRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"

// sources reports whether a line of the script by sources a file in the script's own directory.
func sources(line, by, file string) bool {
	fields := strings.Fields(line)
	return len(fields) >= 2 && (fields[0] == "." || fields[0] == "source") &&
		path.Dir(by) == path.Dir(file) && path.Base(strings.Trim(fields[len(fields)-1], `"'`)) == path.Base(file)
}

// dockersDrop matches the rules with which Docker 28 and later drops packets that are routed directly
// to a container.
var dockersDrop = regexp.MustCompile(`^-d [0-9a-f.:]+/(32|128) ! -i \S+( -p (tcp|udp) -m (tcp|udp) --dport [0-9]+)? -j DROP$`)

// ofProgram returns the program whose chains have such a name.
func ofProgram(p netfilter.Place) Source {
	for _, known := range []struct{ prefix, program, unit string }{
		{"DOCKER-USER", "", ""}, // for the user's own rules
		{"DOCKER", "docker", "docker.service"},
		{"ufw", "ufw", "ufw.service"},
		{"LIBVIRT_", "libvirt", "libvirtd.service"},
		{"f2b-", "fail2ban", "fail2ban.service"},
		{"KUBE-", "kube-proxy", ""},
		{"CATTLE", "rancher", ""},
		{"cali-", "calico", ""},
		{"FWDI_", "firewalld", "firewalld.service"}, {"FWDO_", "firewalld", "firewalld.service"}, {"IN_", "firewalld", "firewalld.service"},
		{"FWD_", "firewalld", "firewalld.service"}, {"PRE_", "firewalld", "firewalld.service"}, {"POST_", "firewalld", "firewalld.service"},
		{"INPUT_ZONES", "firewalld", "firewalld.service"}, {"FORWARD_", "firewalld", "firewalld.service"},
	} {
		if strings.HasPrefix(p.Chain, known.prefix) {
			return Source{Program: known.program, Unit: known.unit}
		}
	}
	switch {
	case p.Tool != netfilter.NFT && p.Table == "raw" && p.Chain == "PREROUTING" && dockersDrop.MatchString(p.Text):
		return Source{Program: "docker", Unit: "docker.service"}
	case p.Tool == netfilter.NFT && p.Table == "firewalld":
		return Source{Program: "firewalld", Unit: "firewalld.service"}
	case p.Tool == netfilter.NFT && strings.HasPrefix(p.Table, "docker-"):
		return Source{Program: "docker", Unit: "docker.service"}
	}
	return Source{}
}
