// Package vbox translates between VBoxManage's texts and values: its arguments, its output and its
// errors, for VirtualBox 4.3 to 7.x. It runs nothing.
//
// VBoxManage of 7.x translates its human-readable output (List::tr, Info::tr in its source), but
// not its machine-readable output; see Env.
//
// Facts marked "VBoxManageInfo.cpp", "VBoxNetAdpCtl.cpp" and the like are from the source of that
// name at VirtualBox/virtualbox 44a0f07f.
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
	SessionName string    // what runs it: "headless", "GUI/Qt"; "" if nothing does or VirtualBox does not print it
	NICs        []NIC     // the enabled ones, by slot
	Forwards    []Forward // by slot, then as VirtualBox orders them: by name
}

// State is a VM's state in VirtualBox's short words (machineStateToName in VBoxManageInfo.cpp).
// Other words than the constants are kept unchanged.
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

// Live reports whether a process holds the VM, so that `controlvm` changes its settings and
// `modifyvm` cannot ("already locked for a session", docker/machine#1679).
func (s State) Live() bool {
	switch s {
	case PowerOff, Saved, aborted, abortedSaved, Inaccessible, unknownState, "teleported":
		return false
	}
	return true
}

// HasSavedState reports whether the VM has a saved state. VirtualBox then refuses to attach its
// network adapters elsewhere (NetworkAdapterImpl.cpp, setEnabled: the machine is not mutable).
func (s State) HasSavedState() bool { return s == Saved || s == abortedSaved }

// NIC is an enabled network adapter of a VM.
type NIC struct {
	Slot       int    // from 1; the N of natpfN
	Attachment string // "nat", "hostonly", "hostonlynetwork" (7.x on macOS), "bridged", "natnetwork", "intnet", "null" …
	HostOnly   string // the name of the host-only adapter ("vboxnet0") or network, or ""
	MAC        string // twelve hex digits
	NATNet     string // the network of a NIC on NAT; "" for the default
}

// NAT returns the network that VirtualBox's NAT gives the guest on this NIC: 10.0.2.0/24 on the
// first, unless another was set. ok is false for a NIC that is not on NAT (ConsoleImpl2.cpp).
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
	Slot      int    `json:"slot"` // the NIC that it belongs to; 0 if unknown
	Name      string `json:"name"`
	Proto     string `json:"proto"`   // "tcp", "udp"
	HostIP    string `json:"host_ip"` // "" listens on every address of the laptop
	HostPort  int    `json:"host_port"`
	GuestIP   string `json:"guest_ip"` // "" is the address that the guest got by DHCP
	GuestPort int    `json:"guest_port"`
}

// Rule returns the rule in natpfN's form: name,proto,hostip,hostport,guestip,guestport.
func (f Forward) Rule() string {
	return fmt.Sprintf("%s,%s,%s,%d,%s,%d", f.Name, f.Proto, f.HostIP, f.HostPort, f.GuestIP, f.GuestPort)
}

// NATSlot returns the slot of the first NIC that is attached to NAT.
func (vm VM) NATSlot() (int, bool) {
	for _, n := range vm.NICs {
		if n.Attachment == "nat" {
			return n.Slot, true
		}
	}
	return 0, false
}

// HostOnlyNIC returns the first NIC on a host-only adapter or host-only network.
func (vm VM) HostOnlyNIC() (NIC, bool) {
	for _, n := range vm.NICs {
		if n.Attachment == "hostonly" || n.Attachment == "hostonlynetwork" {
			return n, true
		}
	}
	return NIC{}, false
}

// ParseVM parses the output of ShowVM. It skips other lines, such as the warning that VirtualBox's
// launcher script prints on stdout if vboxdrv is not loaded.
//
// For each NIC, VBoxManageInfo.cpp prints hostonlyadapterN, macaddressN, cableconnectedN, then
// nicN, then that NIC's Forwarding(i) lines, with i from 0 again. So a rule belongs to the nearest
// NIC above it that is attached to NAT, because only those have rules; a rule above all of them
// belongs to the first.
func ParseVM(out []byte) (VM, error) {
	r := vmReader{nics: map[int]*NIC{}}
	for line := range strings.Lines(string(out)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		if key == "description" {
			break // free text, which old versions do not escape; all that we read comes before it
		}
		if err := r.read(key, value); err != nil {
			return VM{}, err
		}
	}
	vm := r.vm
	if vm.State == "" && vm.Name == inaccessibleName {
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

// vmReader is the state of ParseVM between two lines.
type vmReader struct {
	vm      VM
	nics    map[int]*NIC
	natSlot int // the nearest NIC above that is attached to NAT
}

func (r *vmReader) read(key, value string) error {
	switch key {
	case "name":
		setOnce(&r.vm.Name, unescape(value))
	case "UUID":
		setOnce(&r.vm.UUID, unescape(value))
	case "CfgFile":
		setOnce(&r.vm.CfgFile, unescape(value))
	case "VMState":
		setOnce((*string)(&r.vm.State), trimQuotes(value))
	case "SessionName", "SessionType": // SessionType is 4.x's name
		setOnce(&r.vm.SessionName, trimQuotes(value))
	}
	if strings.HasPrefix(key, "Forwarding(") {
		f, err := parseForward(trimQuotes(value))
		f.Slot = r.natSlot
		r.vm.Forwards = append(r.vm.Forwards, f)
		return err
	}
	if stem, slot := splitSlot(key); slot != 0 {
		r.readNIC(stem, slot, trimQuotes(value)) // values of NICs have no escapes
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
		if setOnce(&n.Attachment, value); n.Attachment == "nat" {
			r.natSlot = slot
		}
	case "hostonlyadapter", "hostonly-network":
		setOnce(&n.HostOnly, value)
	case "natnet":
		if value != "nat" {
			setOnce(&n.NATNet, value)
		}
	case "macaddress":
		setOnce(&n.MAC, value)
	}
}

// setOnce keeps the first value: names are unique in this output, so a second one comes from a
// user's free text.
func setOnce(dst *string, v string) {
	if *dst == "" {
		*dst = v
	}
}

// splitSlot splits "hostonlyadapter2" into name and slot; the slot is 0 if there is none.
// VirtualBox has at most 36 NICs (chipset ICH9).
func splitSlot(key string) (string, int) {
	stem := strings.TrimRight(key, "0123456789")
	n, err := strconv.Atoi(key[len(stem):])
	if err != nil || n > 36 {
		return key, 0
	}
	return stem, n
}

// trimQuotes removes the quotation marks around a value, and nothing else.
func trimQuotes(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// unescape is trimQuotes for values printed by outputMachineReadableString, which puts a backslash
// before each quotation mark and each backslash.
func unescape(v string) string {
	v = trimQuotes(v)
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\') {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// parseForward parses name,proto,hostip,hostport,guestip,guestport, from the right: VirtualBox
// refuses a comma in a rule's name (NATEngineImpl.cpp), but a settings file that was edited by hand
// may have one.
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

// Loopback reports whether a rule with this host IP is reachable only from the laptop itself.
func Loopback(hostIP string) bool {
	ip := net.ParseIP(strings.Trim(hostIP, "[]"))
	return hostIP == "localhost" || ip != nil && ip.IsLoopback()
}
