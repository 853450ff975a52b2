package installation

import (
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// NetworksConfPath is where VirtualBox looks for it (FreeBSD's port has another path).
const NetworksConfPath = "/etc/vbox/networks.conf"

// NetworksConf lists the addresses that VirtualBox allows on host-only adapters. The zero value
// stands for a missing file.
type NetworksConf struct {
	Exists  bool
	Open    bool // the last line lacks a newline, so an added line must begin with one
	Ranges  []netip.Prefix
	Ignored []string // lines and words that VirtualBox ignores, typically because "*" is missing
}

// LimitsHostOnly reports whether this VirtualBox obeys networks.conf: since 6.1.28 (VirtualBox
// manual, "Host-Only Networking"; kubernetes/minikube#12764).
func LimitsHostOnly(v vbox.Version) bool { return v.AtLeast(6, 1, 28) }

// ParseNetworksConf parses the file as VBoxNetAdpCtl.cpp does: a line counts if its first word is
// "*", all other words are ranges, and blanks and tabs separate words. What is not a range is
// ignored.
func ParseNetworksConf(data []byte) NetworksConf {
	c := NetworksConf{Exists: true, Open: len(data) > 0 && data[len(data)-1] != '\n'}
	for line := range strings.Lines(string(data)) {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] != "*" {
			c.Ignored = append(c.Ignored, strings.TrimSpace(line))
			continue
		}
		for _, w := range words[1:] {
			if p, ok := parseRange(w); ok {
				c.Ranges = append(c.Ranges, p)
			} else {
				c.Ignored = append(c.Ignored, w)
			}
		}
	}
	return c
}

// parseRange parses an address with or without a prefix length; bits beyond the length do not
// matter.
func parseRange(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// Allowed reports whether an adapter may have the address p: inside a range of the file, or of the
// defaults if there is no file. A file disables the defaults, and without a range of p's family it
// allows nothing (VBoxNetAdpCtl.cpp, GlobalNetworkPermissionsConfig::forbids).
func Allowed(p netip.Prefix, conf NetworksConf) bool {
	ranges := conf.Ranges
	if !conf.Exists {
		ranges = defaultRanges()
	}
	for _, r := range ranges {
		if p.Bits() >= r.Bits() && r.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func defaultRanges() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("192.168.56.0/21"), netip.MustParsePrefix("fe80::/10")}
}

// Allowance is a line to add to the file, so that it allows an address.
type Allowance struct {
	Line string `json:"line"`
	// Begins means that the file's last line lacks a newline, which must be written first.
	Begins bool `json:"begins_a_line,omitempty"`
}

// Allow returns the line that allows p. If there is no file yet, the line repeats the default,
// which the file disables.
func Allow(p netip.Prefix, conf NetworksConf) Allowance {
	line := "* " + p.Masked().String()
	if !conf.Exists {
		line = "* 192.168.56.0/21 " + p.Masked().String()
	}
	return Allowance{Line: line, Begins: conf.Open}
}

// Hint returns the command that adds the line.
func (a Allowance) Hint() hint.Hint {
	add := hint.Run("echo", a.Line)
	if a.Begins {
		add = hint.Run("printf", `\n%s\n`, a.Line)
	}
	return hint.Run("sudo", "mkdir", "-p", "/etc/vbox").Then("&&", add).Then("|", hint.Run("sudo", "tee", "-a", NetworksConfPath))
}
