package fakevbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// manager is one call of VBoxManage.
type manager struct {
	home           string
	world          *VirtualBox // as last read from the file that stat describes
	stat           os.FileInfo
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Manage is the main function of VBoxManage: args are those after the program's name. It returns
// the exit status.
func Manage(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	home, err := Home()
	if err != nil {
		fmt.Fprintf(stderr, "VBoxManage: error: %v\n", err)
		return 1
	}
	m := &manager{home: home, stdin: stdin, stdout: stdout, stderr: stderr}
	m.log(args)
	fault, err := m.takeFault(args)
	if err != nil {
		fmt.Fprintf(stderr, "VBoxManage: error: %v\n", err)
		return 1
	}
	if fault != nil {
		fmt.Fprint(stderr, fault.Stderr)
		return fault.Exit
	}
	err = m.dispatch(args)
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		fmt.Fprint(stderr, f.text())
		return f.exit
	}
	fmt.Fprintf(stderr, "VBoxManage: error: %v\n", err)
	return 1
}

// load is Load with a cache: it reads the file again only after it was replaced. The file may have
// a thousand VMs.
func (m *manager) load() (*VirtualBox, error) {
	stat, err := os.Stat(filepath.Join(m.home, "virtualbox.json"))
	if err == nil && m.stat != nil && os.SameFile(stat, m.stat) && stat.ModTime().Equal(m.stat.ModTime()) {
		return m.world, nil
	}
	w, loadErr := Load(m.home)
	if err == nil && loadErr == nil {
		m.world, m.stat = w, stat
	}
	return w, loadErr
}

// log appends the call to calls.log.
func (m *manager) log(args []string) {
	if err := os.MkdirAll(m.home, 0o700); err != nil {
		return
	}
	f, err := os.OpenFile(filepath.Join(m.home, "calls.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, strings.Join(args, " "))
}

// takeFault returns the fault of this call, if any, and counts it down.
func (m *manager) takeFault(args []string) (*Fault, error) {
	w, err := m.load()
	if err != nil || len(w.Faults) == 0 {
		return nil, err
	}
	var found *Fault
	line := strings.Join(args, " ")
	err = Update(m.home, func(w *VirtualBox) error {
		for i := range w.Faults {
			f := w.Faults[i]
			if !strings.HasPrefix(line, f.Match) {
				continue
			}
			found = &f
			if f.Times == 1 {
				w.Faults = append(w.Faults[:i], w.Faults[i+1:]...)
			} else if f.Times > 1 {
				w.Faults[i].Times--
			}
			return nil
		}
		return nil
	})
	return found, err
}

func (m *manager) dispatch(args []string) error {
	for len(args) > 0 && (args[0] == "--nologo" || args[0] == "-q" || args[0] == "--nologo=1") {
		args = args[1:]
	}
	if len(args) == 0 {
		return usage("Invalid command ''")
	}
	verb, rest := args[0], args[1:]
	switch verb {
	case "--version", "-v", "-V":
		w, err := m.load()
		if err != nil {
			return err
		}
		fmt.Fprintln(m.stdout, w.Version)
		return nil
	case "list":
		return m.list(rest)
	case "showvminfo":
		return m.showVMInfo(rest)
	case "startvm":
		return m.startVM(rest)
	case "controlvm":
		return m.controlVM(rest)
	case "modifyvm":
		return m.modifyVM(rest)
	case "hostonlyif":
		return m.hostOnlyIf(rest)
	case "hostonlynet":
		return m.hostOnlyNet(rest)
	case "dhcpserver":
		return m.dhcpServer(rest)
	case "guestproperty":
		return m.guestProperty(rest)
	case "createvm":
		return m.createVM(rest)
	case "unregistervm":
		return m.unregisterVM(rest)
	case "storageattach":
		return m.storageAttach(rest)
	case "convertfromraw":
		return m.convertFromRaw(rest)
	case "discardstate":
		return m.discardState(rest)
	case "storagectl":
		return m.storageControl(rest)
	case "setextradata", "getextradata", "sharedfolder", "createhd", "createmedium", "clonehd", "clonemedium", "closemedium", "registervm", "setproperty":
		return nil // nothing reads what these change
	}
	return usage("Invalid command '%s'", verb)
}

// vm finds a VM for a verb, and updates its state.
func (m *manager) vm(name string) (*VirtualBox, *VM, error) {
	if err := m.reap(name); err != nil {
		return nil, nil, err
	}
	w, err := m.load()
	if err != nil {
		return nil, nil, err
	}
	vm := w.Find(name)
	if vm == nil {
		return nil, nil, noVM(name)
	}
	return w, vm, nil
}

// reap marks VMs whose process has died as aborted, as VBoxSVC does; name "" means all VMs.
func (m *manager) reap(name string) error {
	w, err := m.load()
	if err != nil {
		return err
	}
	vms := w.VMs
	if name != "" {
		vms = []*VM{}
		if vm := w.Find(name); vm != nil {
			vms = append(vms, vm)
		}
	}
	for _, vm := range vms {
		if !vm.live() {
			continue
		}
		if vm.State == "starting" || vm.State == "restoring" {
			if time.Since(vm.Changed) < 30*time.Second {
				continue
			}
		} else if _, err := ask(m.home, vm.UUID, "ping"); err == nil || vm.PID == 0 {
			continue
		}
		dead := vm.UUID
		if err := Update(m.home, func(w *VirtualBox) error {
			if vm := w.Find(dead); vm != nil && vm.live() {
				vm.set("aborted")
				vm.PID = 0
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
