package vbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// inaccessibleName is VirtualBox's name for a VM whose settings cannot be read.
const inaccessibleName = "<inaccessible>"

// VMRef is a line of `list vms` or `list runningvms`.
type VMRef struct{ Name, UUID string }

// Inaccessible reports whether VirtualBox cannot read the VM's settings: the list then has
// <inaccessible> in VirtualBox's language.
func (r VMRef) Inaccessible() bool {
	return strings.HasPrefix(r.Name, "<") && strings.HasSuffix(r.Name, ">")
}

// ParseVMs parses lines of the form "NAME" {UUID}. VirtualBox does not escape the name, which may
// contain quotation marks and braces. Lines that do not begin with a quotation mark are warnings,
// and are skipped.
func ParseVMs(out []byte) ([]VMRef, error) {
	var refs []VMRef
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, `"`) {
			continue
		}
		i := strings.LastIndex(line, `" {`)
		if i < 1 || !strings.HasSuffix(line, "}") {
			return nil, fmt.Errorf("reading list of VMs: %q is not \"NAME\" {UUID}", line)
		}
		refs = append(refs, VMRef{Name: line[1:i], UUID: line[i+3 : len(line)-1]})
	}
	return refs, nil
}

// HostOnlyIf is a host-only adapter as `list hostonlyifs` prints it.
type HostOnlyIf struct {
	Name string       // "vboxnet0"
	Addr netip.Prefix // the laptop's address on it; zero if it has none
}

// HostOnlyNet is a host-only network (7.x on macOS) as `list hostonlynets` prints it.
type HostOnlyNet struct {
	Name  string
	Mask  int        // prefix length
	Lower netip.Addr // the laptop gets the lowest (VirtualBox 7 manual, "Host-Only Networks")
	Upper netip.Addr
	Off   bool // it has been disabled
}

// Gives reports whether the laptop has the address addr on the network.
func (n HostOnlyNet) Gives(addr netip.Prefix) bool {
	return !n.Off && n.Lower == addr.Addr() && n.Mask == addr.Bits()
}

// Overlaps reports whether the network and that of addr have addresses in common.
func (n HostOnlyNet) Overlaps(addr netip.Prefix) bool {
	return netip.PrefixFrom(n.Lower, n.Mask).Overlaps(addr)
}

// ParseHostOnlyIfs parses `list hostonlyifs`.
func ParseHostOnlyIfs(out []byte) ([]HostOnlyIf, error) {
	var ifs []HostOnlyIf
	for _, b := range blocks(out, "Name", "GUID", "DHCP", "IPAddress", "NetworkMask") {
		i := HostOnlyIf{Name: b["Name"]}
		// An adapter without an address shows 0.0.0.0 or nothing.
		if a, err := netip.ParseAddr(b["IPAddress"]); err == nil && a.Is4() && !a.IsUnspecified() {
			bits, err := maskBits(b["NetworkMask"])
			if err != nil {
				return nil, fmt.Errorf("reading host-only adapter %s: %w", i.Name, err)
			}
			i.Addr = netip.PrefixFrom(a, bits)
		}
		ifs = append(ifs, i)
	}
	return ifs, nil
}

// ParseCreated returns the name of a new adapter from what CreateHostOnlyIf prints after its
// progress, Interface 'vboxnet0' was successfully created. It returns "" if there is no name.
func ParseCreated(out []byte) string {
	_, rest, _ := strings.Cut(string(out), "'")
	name, _, ok := strings.Cut(rest, "'")
	if !ok {
		return ""
	}
	return name
}

// ParseHostOnlyNets parses `list hostonlynets`.
func ParseHostOnlyNets(out []byte) ([]HostOnlyNet, error) {
	var nets []HostOnlyNet
	for _, b := range blocks(out, "Name", "GUID", "State", "NetworkMask", "LowerIP", "UpperIP") {
		n := HostOnlyNet{Name: b["Name"]}
		var err error
		if n.Mask, err = maskBits(b["NetworkMask"]); err != nil {
			return nil, fmt.Errorf("reading host-only network %s: %w", n.Name, err)
		}
		if n.Lower, err = netip.ParseAddr(b["LowerIP"]); err != nil {
			return nil, fmt.Errorf("reading host-only network %s: %w", n.Name, err)
		}
		n.Upper, _ = netip.ParseAddr(b["UpperIP"])
		n.Off = b["State"] == "Disabled"
		nets = append(nets, n)
	}
	return nets, nil
}

// blocks splits "Key: value" lines into one map for each Name. Blank lines do not separate: 7.0
// prints one after a host-only network's GUID. In another language (see Env), a block begins at the
// line before GUID, which is never translated, and its values are in the order of keys
// (VBoxManageList.cpp).
func blocks(out []byte, keys ...string) []map[string]string {
	var all []map[string]string
	var lines [][2]string
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			lines = append(lines, [2]string{key, strings.TrimSpace(value)})
		}
	}
	begun, translated := 0, false
	for i, l := range lines {
		if ahead := i+1 < len(lines) && lines[i+1][0] == "GUID"; l[0] == "Name" || ahead {
			all = append(all, map[string]string{})
			begun, translated = i, l[0] != "Name"
		}
		switch n := i - begun; {
		case len(all) == 0:
		case !translated:
			all[len(all)-1][l[0]] = l[1]
		case n < len(keys):
			all[len(all)-1][keys[n]] = l[1]
		}
	}
	return all
}

func maskBits(mask string) (int, error) {
	a, err := netip.ParseAddr(mask)
	if err != nil {
		return 0, fmt.Errorf("network mask %q: %w", mask, err)
	}
	if a.Is4() {
		m := a.As4()
		v := uint32(m[0])<<24 | uint32(m[1])<<16 | uint32(m[2])<<8 | uint32(m[3])
		for bits := 0; bits <= 32; bits++ {
			if v == ^(uint32(0xffffffff) >> bits) {
				return bits, nil
			}
		}
	}
	return 0, fmt.Errorf("network mask %q is not one", mask)
}

// Version is VirtualBox's version, as `VBoxManage --version` prints it.
type Version struct {
	Major, Minor, Patch int
	Text                string // as printed: "6.1.28r147628", "5.2.42_Ubuntur137960"
}

func (v Version) String() string { return v.Text }

// AtLeast reports whether v is this version or a later one, ignoring revisions and vendors.
func (v Version) AtLeast(major, minor, patch int) bool {
	return cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor), cmp.Compare(v.Patch, patch)) >= 0
}

// ParseVersion finds the version among warnings: if vboxdrv is not loaded, the launcher script
// first prints a warning of several lines on stdout.
func ParseVersion(out []byte) (Version, error) {
	for line := range strings.Lines(string(out)) {
		if v, ok := versionLine(strings.TrimSpace(line)); ok {
			return v, nil
		}
	}
	return Version{}, errors.New("reading VirtualBox's version: none in the output")
}

func versionLine(s string) (Version, bool) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) != 3 || strings.ContainsAny(s, " \t") {
		return Version{}, false
	}
	patch := parts[2]
	if i := strings.IndexFunc(patch, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		patch = patch[:i]
	}
	v := Version{Text: s}
	for i, p := range []string{parts[0], parts[1], patch} {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return Version{}, false
		}
		*[]*int{&v.Major, &v.Minor, &v.Patch}[i] = int(n)
	}
	return v, true
}
