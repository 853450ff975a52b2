package vbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// Env is what VBoxManage's environment needs added, so that this package can
// read what it prints.
func Env() []string { return []string{"LC_ALL=C"} }

// The functions below return VBoxManage's arguments, without the program's own
// name. name is a VM's name or UUID.

func ShowVersion() []string          { return []string{"--version"} }
func ShowVM(name string) []string    { return []string{"showvminfo", name, "--machinereadable"} }
func ListVMs() []string              { return []string{"list", "vms"} }
func ListRunning() []string          { return []string{"list", "runningvms"} }
func ListHostOnlyIfs() []string      { return []string{"list", "hostonlyifs"} }
func ListHostOnlyNets() []string     { return []string{"list", "hostonlynets"} } // 7.x on macOS only
func StartVM(name string) []string   { return []string{"startvm", name, "--type", "headless"} }
func PauseVM(name string) []string   { return []string{"controlvm", name, "pause"} }
func ResumeVM(name string) []string  { return []string{"controlvm", name, "resume"} }
func SaveState(name string) []string { return []string{"controlvm", name, "savestate"} }

// ACPIShutdown presses the guest's power button; PowerOffVM pulls its plug.
func ACPIShutdown(name string) []string { return []string{"controlvm", name, "acpipowerbutton"} }
func PowerOffVM(name string) []string   { return []string{"controlvm", name, "poweroff"} }

// AddForward adds f to the NIC in slot (f.Slot is not looked at): live on a VM
// that somebody holds, in its settings otherwise (VirtualBox manual, "VBoxManage
// controlvm" natpf<1-N>, "VBoxManage modifyvm" --natpf<1-N>).
func AddForward(vm VM, slot int, f Forward) []string {
	return natpf(vm, slot, f.Rule())
}

// DeleteForward removes the rule of that name from the NIC in slot.
func DeleteForward(vm VM, slot int, rule string) []string {
	return natpf(vm, slot, "delete", rule)
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
	return []string{"hostonlyif", "ipconfig", ifname, "--ip", addr.Addr().String(), "--netmask", Netmask(addr)}
}

// Netmask is an IPv4 prefix's mask in dotted form.
func Netmask(p netip.Prefix) string {
	m := ^(uint32(0xffffffff) >> max(p.Bits(), 0))
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}
