package vbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// Env is what VBoxManage's environment needs added to speak English, where the
// environment has a say: 7.x translates its lists and some of its errors, on macOS into the
// user's language, everywhere into the one that is chosen in VirtualBox's own
// preferences (VirtualBoxTranslator.cpp; so far Russian, and Turkish for errors).
// What is read here therefore rests on its codes, its order and its values.
//
// It must also be UTF-8: under LC_ALL=C `list vms` of 7.2 ends in the middle of the line at
// the first VM whose name is not ASCII, and an argument that is not ends VBoxManage with
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

// AddForward adds f to the NIC in slot (f.Slot is not looked at): live on a VM
// that a process holds, in its settings otherwise (VirtualBox manual, "VBoxManage
// controlvm" natpf<1-N>, "VBoxManage modifyvm" --natpf<1-N>).
func AddForward(vm VM, slot int, f Forward) []string {
	return natpf(vm, slot, f.Rule())
}

// DeleteForward removes the rule of that name from the NIC in slot.
func DeleteForward(vm VM, slot int, rule string) []string {
	return natpf(vm, slot, "delete", rule)
}

// ChangeForwards removes rules by their names and adds others, on the NIC in slot. A VM that
// does not run takes all of it in one command, or nothing; one that runs takes a rule a command.
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
		all = append(all, c[2:]...) // behind "modifyvm NAME"
	}
	return [][]string{all}
}

func natpf(vm VM, slot int, args ...string) []string {
	if vm.State.Live() {
		return append([]string{"controlvm", vm.ref(), fmt.Sprintf("natpf%d", slot)}, args...)
	}
	return append([]string{"modifyvm", vm.ref(), fmt.Sprintf("--natpf%d", slot)}, args...)
}

// ref names the VM on a command line: its name, which is what people know it by,
// unless VBoxManage would take that for an option.
func (vm VM) ref() string {
	if vm.Name == "" || strings.HasPrefix(vm.Name, "-") || vm.State == Inaccessible {
		return vm.UUID
	}
	return vm.Name
}

// IfConfig gives a host-only adapter its address, which brings its route back too.
func IfConfig(ifname string, addr netip.Prefix) []string {
	return []string{"hostonlyif", "ipconfig", ifname, "--ip", addr.Addr().String(), "--netmask", netmask(addr)}
}

// CreateHostOnlyIf makes a host-only adapter; VirtualBox chooses its name.
func CreateHostOnlyIf() []string { return []string{"hostonlyif", "create"} }

// RemoveHostOnlyIf removes one.
func RemoveHostOnlyIf(ifname string) []string { return []string{"hostonlyif", "remove", ifname} }

// AddHostOnlyNet makes a host-only network (7.x on macOS) in which the laptop gets
// addr, the lowest of its range.
func AddHostOnlyNet(name string, addr netip.Prefix) []string {
	return []string{"hostonlynet", "add", "--name", name, "--netmask", netmask(addr),
		"--lower-ip", addr.Addr().String(), "--upper-ip", last(addr).String(), "--enable"}
}

// MoveHostOnlyNet changes a host-only network so that the laptop gets addr in it.
func MoveHostOnlyNet(name string, addr netip.Prefix) []string {
	return []string{"hostonlynet", "modify", "--name", name, "--lower-ip", addr.Addr().String(),
		"--upper-ip", last(addr).String(), "--netmask", netmask(addr), "--enable"}
}

// last is the last address of a network that a computer may have.
func last(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := range a {
		a[i] |= ^byte(mask(p) >> (24 - 8*i))
	}
	return netip.AddrFrom4(a).Prev()
}

// DiscardState throws a VM's saved state away.
func DiscardState(vm string) []string { return []string{"discardstate", vm} }

// UseNAT attaches a VM's NIC to NAT.
func UseNAT(vm string, slot int) []string {
	return []string{"modifyvm", vm, fmt.Sprintf("--nic%d", slot), "nat"}
}

// UseHostOnlyNet puts a VM's NIC on a host-only network.
func UseHostOnlyNet(vm string, slot int, network string) []string {
	return []string{"modifyvm", vm, fmt.Sprintf("--nic%d", slot), "hostonlynet", fmt.Sprintf("--host-only-net%d", slot), network}
}

// netmask is an IPv4 prefix's mask in dotted form.
func netmask(p netip.Prefix) string {
	m := mask(p)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func mask(p netip.Prefix) uint32 { return ^(uint32(0xffffffff) >> max(p.Bits(), 0)) }
