// Package vbox is VBoxManage's language as values: what it prints, what it is
// asked, what it complains about, in the dialects of VirtualBox 4.3 to 7.x. It
// runs nothing.
//
// VBoxManage of 7.x translates its human-readable output (List::tr, Info::tr in
// its source), and not its machine-readable one; see Env.
//
// Facts marked "VBoxManageInfo.cpp", "VBoxNetAdpCtl.cpp" and the like were read
// in the source of that name at VirtualBox/virtualbox 44a0f07f.
package vbox

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// VM is a virtual machine as `showvminfo NAME --machinereadable` prints it.
type VM struct {
	Name, UUID  string
	CfgFile     string // path of the .vbox file on the laptop
	State       State
	SessionName string    // what runs it: "headless", "GUI/Qt"; "" where nothing does or VirtualBox prints none
	NICs        []NIC     // the enabled ones, by slot
	Forwards    []Forward // by slot, then as VirtualBox orders them: by name
}

// State is a VM's state in VirtualBox's own short words (machineStateToName in
// VBoxManageInfo.cpp). Words that are not among the constants are kept as they are.
type State string

const (
	Running      State = "running"
	Paused       State = "paused"
	Saved        State = "saved"
	PowerOff     State = "poweroff"
	aborted      State = "aborted"
	abortedSaved State = "aborted-saved" // 7.x: aborted while it was being restored; the saved state is still there
	Stuck        State = "gurumeditation"
	Starting     State = "starting"
	Stopping     State = "stopping"
	Saving       State = "saving"
	Restoring    State = "restoring"
	Inaccessible State = "inaccessible" // registered, but its settings file cannot be read
	unknownState State = "unknown"
)

// Startable reports whether a VM in that state can be started or resumed.
func (s State) Startable() bool {
	switch s {
	case PowerOff, Saved, aborted, abortedSaved, Paused, Starting, Restoring:
		return true
	}
	return false
}

// Live reports that a process holds the VM, so that its settings can be changed by
// `controlvm` and not by `modifyvm` ("already locked for a session",
// docker/machine#1679).
func (s State) Live() bool {
	switch s {
	case PowerOff, Saved, aborted, abortedSaved, Inaccessible, unknownState, "teleported":
		return false
	}
	return true
}

// HasSavedState reports whether a saved state goes with the VM. VirtualBox attaches none of its
// network adapters elsewhere then (NetworkAdapterImpl.cpp, setEnabled: the machine is not mutable).
func (s State) HasSavedState() bool { return s == Saved || s == abortedSaved }

// NIC is an enabled network adapter of a VM.
type NIC struct {
	Slot       int    // 1 and up, the N of natpfN
	Attachment string // "nat", "hostonly", "hostonlynetwork" (7.x on macOS), "bridged", "natnetwork", "intnet", "null" …
	HostOnly   string // the adapter's ("vboxnet0") or host-only network's name, when attached to one
	MAC        string // twelve hex digits
	NATNet     string // the network of a NIC on NAT where it is not the default
}

// NAT is the network that VirtualBox's NAT gives the guest on this NIC, 10.0.2.0/24 on the
// first unless another was set; ok is false for a NIC that is not on NAT (ConsoleImpl2.cpp).
func (n NIC) NAT() (p netip.Prefix, ok bool) {
	if n.Attachment != "nat" {
		return p, false
	}
	addr, length, _ := strings.Cut(n.NATNet, "/") // the manual's example is 192.168/16
	full := addr + strings.Repeat(".0", max(0, 3-strings.Count(addr, ".")))
	if p, err := netip.ParsePrefix(full + "/" + length); err == nil && p.Addr().Is4() {
		return p.Masked(), true
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n.Slot + 1), 0}), 24), true
}

// Forward is one NAT rule.
type Forward struct {
	Slot      int    `json:"slot"` // the NIC that it belongs to; 0 where unknown
	Name      string `json:"name"`
	Proto     string `json:"proto"`   // "tcp", "udp"
	HostIP    string `json:"host_ip"` // "" listens on every address of the laptop
	HostPort  int    `json:"host_port"`
	GuestIP   string `json:"guest_ip"` // "" is whatever address the guest got by DHCP
	GuestPort int    `json:"guest_port"`
}

// Rule is the rule as natpfN takes it: name,proto,hostip,hostport,guestip,guestport.
func (f Forward) Rule() string {
	return fmt.Sprintf("%s,%s,%s,%d,%s,%d", f.Name, f.Proto, f.HostIP, f.HostPort, f.GuestIP, f.GuestPort)
}

// NATSlot is the first NIC that is attached to NAT, whichever it is.
func (vm VM) NATSlot() (int, bool) {
	for _, n := range vm.NICs {
		if n.Attachment == "nat" {
			return n.Slot, true
		}
	}
	return 0, false
}

// HostOnlyNIC is the first NIC on a host-only adapter or host-only network.
func (vm VM) HostOnlyNIC() (NIC, bool) {
	for _, n := range vm.NICs {
		if n.Attachment == "hostonly" || n.Attachment == "hostonlynetwork" {
			return n, true
		}
	}
	return NIC{}, false
}

// ParseVM reads the output of ShowVM. Other lines, such as the
// warning that VirtualBox's launcher script prints on stdout when vboxdrv is not
// loaded, are passed over.
//
// Per NIC, VBoxManageInfo.cpp prints hostonlyadapterN, macaddressN,
// cableconnectedN, then nicN, then that NIC's Forwarding(i) lines, i starting
// at 0 again: so a rule belongs to the nearest NIC above it that is attached to
// NAT, as only those have rules; one that is above them all, to the first.
func ParseVM(out []byte) (VM, error) {
	r := vmReader{nics: map[int]*NIC{}}
	for line := range strings.Lines(string(out)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		if key == "description" {
			break // free text, from old versions unescaped; nothing that we read comes after it
		}
		if err := r.read(key, value); err != nil {
			return VM{}, err
		}
	}
	vm := r.vm
	if vm.State == "" && vm.Name == noName {
		vm.State = Inaccessible
	}
	if vm.State == "" {
		return VM{}, errors.New("reading showvminfo: no VMState in its output")
	}
	for _, n := range r.nics {
		if n.Attachment != "" && n.Attachment != "none" {
			vm.NICs = append(vm.NICs, *n)
		}
	}
	slices.SortFunc(vm.NICs, func(a, b NIC) int { return a.Slot - b.Slot })
	if nat, ok := vm.NATSlot(); ok {
		for i := range vm.Forwards {
			vm.Forwards[i].Slot = cmp.Or(vm.Forwards[i].Slot, nat)
		}
	}
	slices.SortStableFunc(vm.Forwards, func(a, b Forward) int { return a.Slot - b.Slot })
	return vm, nil
}

// vmReader is ParseVM under way.
type vmReader struct {
	vm      VM
	nics    map[int]*NIC
	natSlot int // of the nearest NIC above that is attached to NAT
}

func (r *vmReader) read(key, value string) error {
	switch key {
	case "name":
		first(&r.vm.Name, unescape(value))
	case "UUID":
		first(&r.vm.UUID, unescape(value))
	case "CfgFile":
		first(&r.vm.CfgFile, unescape(value))
	case "VMState":
		first((*string)(&r.vm.State), bare(value))
	case "SessionName", "SessionType": // so in 4.x
		first(&r.vm.SessionName, bare(value))
	}
	if strings.HasPrefix(key, "Forwarding(") {
		f, err := parseForward(bare(value))
		f.Slot = r.natSlot
		r.vm.Forwards = append(r.vm.Forwards, f)
		return err
	}
	if stem, slot := splitSlot(key); slot != 0 {
		r.readNIC(stem, slot, bare(value)) // without escapes
	}
	return nil
}

func (r *vmReader) readNIC(stem string, slot int, value string) {
	n := r.nics[slot]
	if n == nil {
		n = &NIC{Slot: slot}
		r.nics[slot] = n
	}
	switch stem {
	case "nic":
		if first(&n.Attachment, value); n.Attachment == "nat" {
			r.natSlot = slot
		}
	case "hostonlyadapter", "hostonly-network":
		first(&n.HostOnly, value)
	case "natnet":
		if value != "nat" {
			first(&n.NATNet, value)
		}
	case "macaddress":
		first(&n.MAC, value)
	}
}

// first keeps the first value: names are unique in this output, so a second one
// can only come from a user's free text.
func first(dst *string, v string) {
	if *dst == "" {
		*dst = v
	}
}

// splitSlot takes "hostonlyadapter2" apart; 0 where there is no slot. VirtualBox
// has at most 36 NICs (chipset ICH9).
func splitSlot(key string) (string, int) {
	stem := strings.TrimRight(key, "0123456789")
	n, err := strconv.Atoi(key[len(stem):])
	if err != nil || n > 36 {
		return key, 0
	}
	return stem, n
}

// bare takes the quotation marks around a value off, and nothing else.
func bare(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// unescape is bare for the values that outputMachineReadableString prints: it
// puts a backslash before each quotation mark and each backslash.
func unescape(v string) string {
	v = bare(v)
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\') {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// parseForward reads name,proto,hostip,hostport,guestip,guestport. VirtualBox
// refuses a comma in a rule's name (NATEngineImpl.cpp), yet a settings file
// edited by hand could have one: hence from the right.
func parseForward(rule string) (Forward, error) {
	f := strings.Split(rule, ",")
	if len(f) < 6 {
		return Forward{}, fmt.Errorf("reading NAT rule %q: want name,proto,hostip,hostport,guestip,guestport", rule)
	}
	name, rest := strings.Join(f[:len(f)-5], ","), f[len(f)-5:]
	hostPort, err := parsePort(rest[2])
	if err != nil {
		return Forward{}, fmt.Errorf("reading NAT rule %q: host port: %w", rule, err)
	}
	guestPort, err := parsePort(rest[4])
	if err != nil {
		return Forward{}, fmt.Errorf("reading NAT rule %q: guest port: %w", rule, err)
	}
	return Forward{Name: name, Proto: rest[0], HostIP: rest[1], HostPort: hostPort, GuestIP: rest[3], GuestPort: guestPort}, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err
}

// Loopback reports whether a rule's host IP is reachable from the laptop alone.
func Loopback(hostIP string) bool {
	ip := net.ParseIP(strings.Trim(hostIP, "[]"))
	return hostIP == "localhost" || ip != nil && ip.IsLoopback()
}
