package fakevbox

import (
	"slices"
	"strconv"
	"strings"
)

// slotOf reads an option that ends in an adapter's number, in any of its spellings.
func slotOf(opt string, names ...string) (int, bool) {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(opt, name); ok {
			if n, err := strconv.Atoi(rest); err == nil && n >= 1 && n <= 8 {
				return n, true
			}
		}
	}
	return 0, false
}

// nic is the adapter in a slot, made if need be.
func (vm *VM) nic(slot int) *NIC {
	for len(vm.NICs) < slot {
		vm.NICs = append(vm.NICs, NIC{Attachment: "none"})
	}
	return &vm.NICs[slot-1]
}

// modifyVM is modifyvm NAME --option value…; the VM must be off.
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
	for len(rest) > 0 {
		opt := strings.TrimLeft(rest[0], "-")
		if slot, ok := slotOf(opt, "natpf", "nat-pf"); ok {
			n := 2
			if len(rest) > 1 && rest[1] == "delete" {
				n = 3
			}
			if len(rest) < n {
				return usage("Missing argument to '--%s'", opt)
			}
			if err := m.natpf(vm, slot, rest[1:n], false); err != nil {
				return err
			}
			rest = rest[n:]
			continue
		}
		if len(rest) < 2 {
			return usage("Missing argument to '--%s'", opt)
		}
		value := rest[1]
		rest = rest[2:]
		if err := m.option(vm.UUID, opt, value); err != nil {
			return err
		}
	}
	return nil
}

// splitOptions turns --option=value into two arguments.
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
	return Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(uuid)
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
			vm.Name = value
		}
		return nil
	})
}

// mac is a stable address in VirtualBox's range.
func mac(uuid, slot string) string {
	return "080027" + strings.ToUpper(strings.ReplaceAll(uuidOf(uuid+slot), "-", "")[:6])
}

// natpf adds or deletes a rule: args are a rule, or "delete" and a name.
func (m *manager) natpf(vm *VM, slot int, args []string, live bool) error {
	if len(args) == 0 {
		return usage("Missing argument to 'natpf%d'", slot)
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
		f, ok := parseRule(args[0])
		if !ok {
			return usage("Missing or invalid argument to 'natpf%d': %s", slot, args[0])
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

// parseRule reads [name],tcp|udp,[host IP],host port,[guest IP],guest port.
func parseRule(rule string) (Forward, bool) {
	p := strings.Split(rule, ",")
	if len(p) != 6 {
		return Forward{}, false
	}
	hostPort, err1 := strconv.ParseUint(p[3], 10, 16)
	guestPort, err2 := strconv.ParseUint(p[5], 10, 16)
	if err1 != nil || err2 != nil || p[1] != "tcp" && p[1] != "udp" {
		return Forward{}, false
	}
	f := Forward{Name: p[0], Proto: p[1], HostIP: p[2], HostPort: int(hostPort), GuestIP: p[4], GuestPort: int(guestPort)}
	if f.Name == "" {
		f.Name = p[1] + "_" + p[3] + "_" + p[5]
	}
	return f, true
}
