package fakevbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// slotOf returns the adapter's number at the end of an option, of which names are the spellings.
func slotOf(opt string, names ...string) (int, bool) {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(opt, name); ok {
			if n, err := strconv.Atoi(rest); err == nil && n >= 1 {
				return n, true
			}
		}
	}
	return 0, false
}

// nic returns the adapter in a slot, and creates it if needed.
func (vm *VM) nic(slot int) *NIC {
	for len(vm.NICs) < slot {
		vm.NICs = append(vm.NICs, NIC{Attachment: "none"})
	}
	return &vm.NICs[slot-1]
}

// modifyVM implements modifyvm NAME --option value…. The VM must be off. It changes all or nothing.
func (m *manager) modifyVM(args []string) error {
	if len(args) < 1 {
		return usage("Not enough parameters")
	}
	name, rest := args[0], args[1:]
	_, vm, err := m.vm(name)
	if err != nil {
		return err
	}
	if vm.live() {
		return locked(vm.Name)
	}
	rest = splitOptions(rest)
	if len(rest) == 0 {
		return usage("Not enough parameters")
	}
	before := clone(vm.NICs)
	if err := m.modify(vm, rest); err != nil {
		// It is all or nothing.
		_ = Update(m.home, func(w *VirtualBox) error {
			w.Find(vm.UUID).NICs = before
			return nil
		})
		return err
	}
	return nil
}

func clone(nics []NIC) []NIC {
	all := slices.Clone(nics)
	for i := range all {
		all[i].Forwards = slices.Clone(all[i].Forwards)
	}
	return all
}

func (m *manager) modify(vm *VM, rest []string) error {
	for len(rest) > 0 {
		opt := strings.TrimLeft(rest[0], "-")
		if slot, ok := slotOf(opt, "natpf", "nat-pf"); ok {
			if len(rest) < 2 {
				return fail("--natpf: RTGetOpt: Command line option needs argument.")
			}
			n := 2
			if rest[1] == "delete" {
				n = 3
			}
			if len(rest) < n {
				return usage("Not enough parameters")
			}
			if err := m.natpf(vm, slot, rest[1:n], false); err != nil {
				return err
			}
			rest = rest[n:]
			continue
		}
		if len(rest) < 2 {
			return fail("--" + opt + ": RTGetOpt: Command line option needs argument.")
		}
		value := rest[1]
		rest = rest[2:]
		if err := m.option(vm.UUID, opt, value); err != nil {
			return err
		}
	}
	return nil
}

// splitOptions splits each --option=value into two arguments.
func splitOptions(args []string) []string {
	var out []string
	for _, a := range args {
		if name, value, ok := strings.Cut(a, "="); ok && strings.HasPrefix(a, "--") {
			out = append(out, name, value)
			continue
		}
		out = append(out, a)
	}
	return out
}

func (m *manager) option(uuid, opt, value string) error {
	if w, err := m.load(); err == nil && w.version() >= 70000 && strings.HasPrefix(opt, "hostonlyadapter") && w.adapter(value) < 0 {
		fmt.Fprintf(m.stderr, "VBoxManage: warning: Interface \"%s\" doesn't seem to exist\n", value)
	}
	return Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(uuid)
		if _, nic := slotOf(opt, "nic"); nic && vm.State == "saved" {
			return notMutable()
		}
		set := func(f func(*NIC), names ...string) bool {
			slot, ok := slotOf(opt, names...)
			if ok {
				f(vm.nic(slot))
			}
			return ok
		}
		switch {
		case set(func(n *NIC) {
			n.Attachment = value
			if value == "hostonlynet" {
				n.Attachment = "hostonlynetwork"
			}
			if n.MAC == "" {
				n.MAC = mac(uuid, opt)
			}
		}, "nic"):
		case set(func(n *NIC) { n.Adapter = value }, "hostonlyadapter", "host-only-adapter", "hostonlynet", "host-only-net", "bridgeadapter", "bridge-adapter"):
		case set(func(n *NIC) { n.CableOff = value == "off" }, "cableconnected", "cable-connected"):
		case set(func(n *NIC) {
			if value != "auto" {
				n.MAC = value
			}
		}, "macaddress", "mac-address"):
		case opt == "memory":
			vm.Memory, _ = strconv.Atoi(value)
		case opt == "cpus":
			vm.CPUs, _ = strconv.Atoi(value)
		case opt == "name":
			return vm.rename(value)
		case !slices.Contains(ignored(), strings.TrimRight(opt, "0123456789")):
			return fail("Unknown option: --" + opt)
		}
		return nil
	})
}

// mac returns an address in VirtualBox's range that depends only on VM and slot.
func mac(uuid, slot string) string {
	return "080027" + strings.ToUpper(strings.ReplaceAll(uuidOf(uuid+slot), "-", "")[:6])
}

// natpf adds or deletes a rule: args are a rule, or "delete" and a name. live means that the VM
// runs.
func (m *manager) natpf(vm *VM, slot int, args []string, live bool) error {
	if len(args) == 0 {
		return usage("Missing argument to 'natpf%d'", slot)
	}
	if slot > 8 {
		f := fail(fmt.Sprintf("Invalid NIC number %d", slot))
		f.exit = 0 // as VirtualBox has it
		return f
	}
	err := Update(m.home, func(w *VirtualBox) error {
		nic := w.Find(vm.UUID).nic(slot)
		if args[0] == "delete" {
			if len(args) < 2 {
				return usage("Missing or Invalid argument to 'natpf%d'", slot)
			}
			i := slices.IndexFunc(nic.Forwards, func(f Forward) bool { return f.Name == args[1] })
			if i < 0 {
				return ruleMissing()
			}
			nic.Forwards = slices.Delete(nic.Forwards, i, i+1)
			return nil
		}
		f, err := parseRule(slot, args[0])
		if err != nil {
			return err
		}
		if live && nic.Attachment != "nat" {
			return fail("The NAT engine of adapter " + strconv.Itoa(slot) + " is not attached to NAT")
		}
		for _, old := range nic.Forwards {
			if old.Name == f.Name {
				return ruleExists()
			}
			if old.Proto == f.Proto && old.HostIP == f.HostIP && old.HostPort == f.HostPort {
				return portRuleExists()
			}
		}
		nic.Forwards = append(nic.Forwards, f)
		return nil
	})
	if err != nil || !live {
		return err
	}
	return m.ask(vm, "reload")
}

// parseRule parses [name],tcp|udp,[host IP],host port,[guest IP],guest port as VirtualBox does:
// text after a seventh comma is ignored, a port that is not a number is 0, and of a port that is
// too large the lowest 16 bits count.
func parseRule(slot int, rule string) (Forward, error) {
	p := strings.SplitN(rule, ",", 7)
	if len(p) < 6 {
		return Forward{}, usage("Missing or invalid argument to '--natpf'")
	}
	proto := strings.ToLower(p[1])
	if proto != "tcp" && proto != "udp" {
		return Forward{}, fail(fmt.Sprintf("Invalid proto '%s' specfied for NIC %d", rule, slot))
	}
	port := func(text string) int {
		n, _ := strconv.ParseUint(text, 10, 32)
		return int(uint16(n))
	}
	f := Forward{Name: p[0], Proto: proto, HostIP: p[2], HostPort: port(p[3]), GuestIP: p[4], GuestPort: port(p[5])}
	if f.Name == "" {
		f.Name = proto + "_" + p[3] + "_" + p[5]
	}
	return f, nil
}

// rename renames a VM. If its folder has the VM's name, the folder is moved.
func (vm *VM) rename(name string) error {
	dir := filepath.Dir(vm.CfgFile)
	if filepath.Base(dir) == vm.Name && filepath.Base(vm.CfgFile) == vm.Name+".vbox" {
		to := filepath.Join(filepath.Dir(dir), name)
		if err := os.Rename(dir, to); err != nil && !os.IsNotExist(err) {
			return err
		}
		file := filepath.Join(to, name+".vbox")
		if err := os.Rename(filepath.Join(to, vm.Name+".vbox"), file); err != nil && !os.IsNotExist(err) {
			return err
		}
		vm.CfgFile = file
	}
	vm.Name = name
	return nil
}

// ignored are the options that docker-machine's driver passes and that have no effect here
// (docker/machine b170508b, drivers/virtualbox/virtualbox.go).
func ignored() []string {
	return []string{
		"firmware", "bioslogofadein", "bioslogofadeout", "bioslogodisplaytime", "biosbootmenu", "ostype", "acpi", "ioapic", "rtcuseutc",
		"natdnshostresolver", "natdnsproxy", "cpuhotplug", "pae", "hpet", "hwvirtex", "nestedpaging", "largepages", "vtxvpid", "accelerate",
		"boot", "nictype", "nicpromisc", "nested-hw-virt", "vram", "description", "audio", "groups", "nat-localhostreachable",
	}
}
