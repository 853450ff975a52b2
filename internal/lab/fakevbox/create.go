package fakevbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// createVM implements createvm --name N [--basefolder D] [--register]. The environment names the
// VM's guest.
func (m *manager) createVM(args []string) error {
	o := options(args)
	name := o["name"]
	if name == "" {
		return usage("Parameter --name is required")
	}
	base := o["basefolder"]
	if base == "" {
		base = filepath.Join(m.home, "VirtualBox VMs")
	}
	vm := &VM{
		Name: name, UUID: uuidOf(m.home + "/" + name), CfgFile: filepath.Join(base, name, name+".vbox"), CPUs: 1, Memory: 1024,
		Guest: GuestRef{Kind: os.Getenv("FAKEVBOX_GUEST")},
	}
	if p := os.Getenv("FAKEVBOX_GUEST_PARAMS"); p != "" {
		vm.Guest.Params = json.RawMessage(p)
	}
	vm.set("poweroff")
	if err := Update(m.home, func(w *VirtualBox) error {
		if w.Find(name) != nil {
			return comError(fmt.Sprintf("Machine settings file '%s' already exists", vm.CfgFile), "VBOX_E_FILE_ERROR (0x80bb0004)", "MachineWrap", "IMachine",
				`"CreateMachine" at line 320 of file VBoxManageMisc.cpp`)
		}
		w.VMs = append(w.VMs, vm)
		return nil
	}); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(filepath.Dir(vm.CfgFile), "Logs"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(vm.CfgFile, []byte("<?xml version=\"1.0\"?>\n<VirtualBox/>\n"), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(m.stdout, "Virtual machine '%s' is created and registered.\nUUID: %s\nSettings file: '%s'\n", name, vm.UUID, vm.CfgFile)
	return nil
}

// unregisterVM implements unregistervm NAME [--delete].
func (m *manager) unregisterVM(args []string) error {
	name, del := "", false
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			del = del || strings.HasPrefix(strings.TrimLeft(a, "-"), "delete")
		} else {
			name = a
		}
	}
	_, vm, err := m.vm(name)
	if err != nil {
		return err
	}
	if vm.live() {
		return comError(fmt.Sprintf("Cannot unregister the machine '%s' while it is locked", vm.Name), invalidState, "MachineWrap", "IMachine",
			`"Unregister(CleanupMode_DetachAllReturnHardDisksOnly, ComSafeArrayAsOutParam(aMedia))" at line 170 of file VBoxManageMisc.cpp`)
	}
	if del && filepath.Base(filepath.Dir(vm.CfgFile)) == vm.Name {
		_ = os.Remove(vm.CfgFile)
		_ = os.RemoveAll(filepath.Join(filepath.Dir(vm.CfgFile), "Logs"))
		_ = os.Remove(filepath.Dir(vm.CfgFile))
	}
	return Update(m.home, func(w *VirtualBox) error {
		w.VMs = slices.DeleteFunc(w.VMs, func(v *VM) bool { return v.UUID == vm.UUID })
		return nil
	})
}

// storageControl implements storagectl NAME --name SATA --add sata.
func (m *manager) storageControl(args []string) error {
	if len(args) == 0 {
		return usage("Not enough parameters")
	}
	return Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(args[0])
		if vm == nil {
			return noVM(args[0])
		}
		vm.SATA = true
		return nil
	})
}

func (m *manager) storageAttach(args []string) error {
	if len(args) == 0 {
		return usage("Not enough parameters")
	}
	o := options(args[1:])
	return Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(args[0])
		if vm == nil {
			return noVM(args[0])
		}
		if vm.Media == nil {
			vm.Media = map[string]string{}
		}
		vm.Media[o["port"]+"-"+o["device"]] = o["medium"]
		return nil
	})
}

// convertFromRaw implements convertfromraw stdin DEST SIZE, with which docker-machine makes a disk.
// It reads all of the input and keeps the first 64 KiB; the rest is zeros.
func (m *manager) convertFromRaw(args []string) error {
	if len(args) < 2 {
		return usage("Incorrect number of parameters")
	}
	if args[0] == "stdin" {
		head := make([]byte, 64<<10)
		n, _ := io.ReadFull(m.stdin, head)
		if _, err := io.Copy(io.Discard, m.stdin); err != nil {
			return err
		}
		return os.WriteFile(args[1], head[:n], 0o600)
	}
	return nil
}

// guestProperty implements guestproperty get|set|enumerate NAME ….
func (m *manager) guestProperty(args []string) error {
	if len(args) < 2 {
		return usage("Incorrect parameters")
	}
	_, vm, err := m.vm(args[1])
	if err != nil {
		return err
	}
	const ip = "/VirtualBox/GuestInfo/Net/1/V4/IP"
	switch {
	case args[0] == "set" && len(args) >= 3:
		return Update(m.home, func(w *VirtualBox) error {
			v := w.Find(vm.UUID)
			if v.Properties == nil {
				v.Properties = map[string]string{}
			}
			v.Properties[args[2]] = strings.Join(args[3:], " ")
			return nil
		})
	case args[0] == "get" && len(args) == 3:
		value, ok := vm.Properties[args[2]]
		if args[2] == ip && vm.IP != "" && vm.State == "running" {
			value, ok = vm.IP, true
		}
		if !ok {
			fmt.Fprintln(m.stdout, "No value set!")
			return nil
		}
		fmt.Fprintf(m.stdout, "Value: %s\n", value)
		return nil
	case args[0] == "enumerate":
		if vm.IP != "" && vm.State == "running" {
			fmt.Fprintf(m.stdout, "Name: %s, value: %s, timestamp: 1, flags: TRANSIENT, TRANSRESET\n", ip, vm.IP)
		}
		return nil
	}
	return usage("Incorrect parameters")
}
