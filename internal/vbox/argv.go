package vbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// Env returns what to add to VBoxManage's environment to make it print English, as far as the
// environment decides that: 7.x translates its lists and some of its errors, on macOS into the
// user's language, and everywhere into the language chosen in VirtualBox's own preferences
// (VirtualBoxTranslator.cpp; so far Russian, and Turkish for errors). The parsers here therefore
// rely on codes, order and values.
//
// The locale must also be UTF-8. Under LC_ALL=C, `list vms` of 7.2 stops in the middle of the line
// at the first VM whose name is not ASCII, and an argument that is not ASCII ends VBoxManage with
// "RTR3Init: VERR_NO_TRANSLATION".
func Env() []string { return []string{"LC_ALL=C.UTF-8"} }

// The functions below return VBoxManage's arguments, without the program's own
// name. name is a VM's name or UUID.

func ShowVersion() []string                { return []string{"--version"} }
func ShowVM(name string) []string          { return []string{"showvminfo", name, "--machinereadable"} }
func ListVMs() []string                    { return []string{"list", "vms"} }
func ListRunning() []string                { return []string{"list", "runningvms"} }
func ListHostOnlyIfs() []string            { return []string{"list", "hostonlyifs"} }
func ListHostOnlyNets() []string           { return []string{"list", "hostonlynets"} } // 7.x on macOS only
func StartVM(name string) []string         { return []string{"startvm", name, "--type", "headless"} }
func ControlVM(name, what string) []string { return []string{"controlvm", name, what} } // "pause", "resume", "savestate"

// AddForward adds f to the NIC in slot and ignores f.Slot. If a process holds the VM it is added
// live, otherwise to the VM's settings (VirtualBox manual, "VBoxManage controlvm" natpf<1-N>,
// "VBoxManage modifyvm" --natpf<1-N>).
func AddForward(vm VM, slot int, f Forward) []string {
	return natpf(vm, slot, f.Rule())
}

// DeleteForward removes the named rule from the NIC in slot.
func DeleteForward(vm VM, slot int, rule string) []string {
	return natpf(vm, slot, "delete", rule)
}

// ChangeForwards removes rules by name and adds others, on the NIC in slot. For a VM that is off,
// it is one command that changes all or nothing; for a running VM, one command for each rule.
func ChangeForwards(vm VM, slot int, remove []string, add []Forward) (commands [][]string) {
	for _, name := range remove {
		commands = append(commands, DeleteForward(vm, slot, name))
	}
	for _, f := range add {
		commands = append(commands, AddForward(vm, slot, f))
	}
	if vm.State.Live() || len(commands) == 0 {
		return commands
	}
	all := commands[0]
	for _, c := range commands[1:] {
		all = append(all, c[2:]...) // without "modifyvm NAME"
	}
	return [][]string{all}
}

func natpf(vm VM, slot int, args ...string) []string {
	if vm.State.Live() {
		return append([]string{"controlvm", vm.ref(), fmt.Sprintf("natpf%d", slot)}, args...)
	}
	return append([]string{"modifyvm", vm.ref(), fmt.Sprintf("--natpf%d", slot)}, args...)
}

// ref returns the VM's name for a command line, or its UUID if VBoxManage would take the name for
// an option.
func (vm VM) ref() string {
	if vm.Name == "" || strings.HasPrefix(vm.Name, "-") || vm.State == Inaccessible {
		return vm.UUID
	}
	return vm.Name
}

// IfConfig sets the address of a host-only adapter, which also restores its route.
func IfConfig(ifname string, addr netip.Prefix) []string {
	return []string{"hostonlyif", "ipconfig", ifname, "--ip", addr.Addr().String(), "--netmask", netmask(addr)}
}

// CreateHostOnlyIf makes a host-only adapter; VirtualBox chooses its name.
func CreateHostOnlyIf() []string { return []string{"hostonlyif", "create"} }

// RemoveHostOnlyIf removes a host-only adapter.
func RemoveHostOnlyIf(ifname string) []string { return []string{"hostonlyif", "remove", ifname} }

// AddHostOnlyNet makes a host-only network (7.x on macOS) in which the laptop gets addr, the lowest
// address of its range.
func AddHostOnlyNet(name string, addr netip.Prefix) []string {
	return []string{"hostonlynet", "add", "--name", name, "--netmask", netmask(addr),
		"--lower-ip", addr.Addr().String(), "--upper-ip", last(addr).String(), "--enable"}
}

// MoveHostOnlyNet changes a host-only network so that the laptop gets addr there.
func MoveHostOnlyNet(name string, addr netip.Prefix) []string {
	return []string{"hostonlynet", "modify", "--name", name, "--lower-ip", addr.Addr().String(),
		"--upper-ip", last(addr).String(), "--netmask", netmask(addr), "--enable"}
}

// last returns the last address of a network that a computer may have.
func last(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := range a {
		a[i] |= ^byte(mask(p) >> (24 - 8*i))
	}
	return netip.AddrFrom4(a).Prev()
}

// DiscardState discards a VM's saved state.
func DiscardState(vm string) []string { return []string{"discardstate", vm} }

// UseNAT attaches a VM's NIC to NAT.
func UseNAT(vm string, slot int) []string {
	return []string{"modifyvm", vm, fmt.Sprintf("--nic%d", slot), "nat"}
}

// UseHostOnlyNet attaches a VM's NIC to a host-only network.
func UseHostOnlyNet(vm string, slot int, network string) []string {
	return []string{"modifyvm", vm, fmt.Sprintf("--nic%d", slot), "hostonlynet", fmt.Sprintf("--host-only-net%d", slot), network}
}

// netmask returns an IPv4 prefix's mask in dotted form.
func netmask(p netip.Prefix) string {
	m := mask(p)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func mask(p netip.Prefix) uint32 { return ^(uint32(0xffffffff) >> max(p.Bits(), 0)) }
