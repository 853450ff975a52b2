package fakevbox

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func ctlSocket(home, uuid string) string { return filepath.Join(home, "run", uuid[:8]+".ctl") }
func netSocket(home, uuid string) string { return filepath.Join(home, "run", uuid[:8]+".net") }

// ask sends one word to a VM's process and returns its answer.
func ask(home, uuid, what string) (string, error) {
	conn, err := net.DialTimeout("unix", ctlSocket(home, uuid), 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := fmt.Fprintln(conn, what); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

// startVM implements startvm NAME… [--type T].
func (m *manager) startVM(args []string) error {
	var names []string
	frontend := ""
	for i := 0; i < len(args); i++ {
		switch {
		case (args[i] == "--type" || args[i] == "-type") && i+1 < len(args):
			frontend = args[i+1]
			i++
		case args[i] == "-E" || args[i] == "--putenv":
			i++
		case strings.HasPrefix(args[i], "-"):
		default:
			names = append(names, args[i])
		}
	}
	for _, name := range names {
		if err := m.startOne(name, frontend); err != nil {
			return err
		}
	}
	return nil
}

func (m *manager) startOne(name, frontend string) error {
	if _, _, err := m.vm(name); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "headless", "gui", "sdl", "separate"}, frontend) {
		return comError("Invalid frontend name: '"+frontend+"'", invalidArg, "MachineWrap", "IMachine",
			`"LaunchVMProcess(a->session, sessionType.raw(), ComSafeArrayAsInParam(aBstrEnv), progress.asOutParam())" at line 920 of file VBoxManageMisc.cpp`)
	}
	var uuid, before, display string
	err := Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(name)
		switch {
		case vm == nil:
			return noVM(name)
		case vm.live():
			return started(vm.Name)
		}
		for _, nic := range vm.NICs {
			if nic.Attachment == "hostonly" && w.noAdapters() {
				return adaptersGone()
			}
		}
		uuid, before, display = vm.UUID, vm.State, vm.Name
		vm.set("starting")
		if before == "saved" {
			vm.set("restoring")
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(m.stdout, "Waiting for VM %q to power on...\n", raw(display))
	if err := m.spawn(uuid, display); err != nil {
		_ = Update(m.home, func(w *VirtualBox) error {
			if vm := w.Find(uuid); vm != nil {
				vm.set(before)
			}
			return nil
		})
		return fail(err.Error(), "Details: code "+nsFailure+", component MachineWrap, interface IMachine")
	}
	fmt.Fprintf(m.stdout, "VM %q has been successfully started.\n", raw(display))
	return nil
}

// spawn starts the VM's process and waits until it is ready.
func (m *manager) spawn(uuid, name string) error {
	exe, err := headless()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(exe, "--comment", name, "--startvm", uuid, "--vrde", "config")
	cmd.Args[0] = "VBoxHeadless"
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if strings.TrimSpace(line) == "ready" {
		return cmd.Process.Release()
	}
	_ = cmd.Wait()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errors.New(cmp.Or(strings.TrimSpace(line), "The VM session was aborted"))
}

// headless returns the program for VM processes: VBoxHeadless beside VBoxManage, or this binary.
func headless() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), "VBoxHeadless")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	return self, nil
}

// controlVM implements controlvm NAME VERB ARG….
func (m *manager) controlVM(args []string) error {
	if len(args) < 2 {
		return usage("Not enough parameters.")
	}
	name, verb, rest := args[0], args[1], args[2:]
	w, vm, err := m.vm(name)
	if err != nil {
		return err
	}
	if !vm.live() {
		return w.notRunning(vm.Name)
	}
	if slot, ok := slotOf(verb, "natpf", "nat-pf"); ok {
		return m.natpf(vm, slot, rest, true)
	}
	switch verb {
	case "poweroff", "savestate":
		want := map[string]string{"poweroff": "poweroff", "savestate": "save"}[verb]
		if err := m.ask(vm, want); err != nil {
			return err
		}
		fmt.Fprintln(m.progress(), "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%")
		return nil
	case "acpipowerbutton", "pause", "resume":
		if verb == "resume" && vm.State == "running" || verb == "pause" && vm.State == "paused" || verb == "acpipowerbutton" && vm.State != "running" {
			return comError("Invalid machine state: "+strings.ToUpper(vm.State[:1])+vm.State[1:], "VBOX_E_INVALID_VM_STATE (0x80bb0002)", "ConsoleWrap", "IConsole",
				fmt.Sprintf("%q at line 220 of file VBoxManageControlVM.cpp", verb))
		}
		return m.ask(vm, verb)
	case "reset":
		return m.ask(vm, "reset")
	}
	if slot, ok := slotOf(verb, "setlinkstate"); ok && len(rest) == 1 {
		return Update(m.home, func(w *VirtualBox) error {
			nic := w.Find(vm.UUID).nic(slot)
			nic.CableOff = rest[0] == "off"
			return nil
		})
	}
	return usage("Invalid parameter '%s'", verb)
}

// progress returns the stream for percentages: standard error from 6.0 on.
func (m *manager) progress() io.Writer {
	if w, err := Load(m.home); err == nil && w.version() < 60000 {
		return m.stdout
	}
	return m.stderr
}

func (m *manager) ask(vm *VM, what string) error {
	answer, err := ask(m.home, vm.UUID, what)
	if err != nil {
		return fail("The virtual machine '"+vm.Name+"' has terminated unexpectedly", "Details: "+err.Error())
	}
	if answer != "ok" {
		return fail(answer)
	}
	return nil
}

// discardState implements discardstate NAME.
func (m *manager) discardState(args []string) error {
	if len(args) != 1 {
		return usage("Incorrect number of parameters")
	}
	return Update(m.home, func(w *VirtualBox) error {
		vm := w.Find(args[0])
		if vm == nil {
			return noVM(args[0])
		}
		if vm.State != "saved" {
			return notSaved(vm)
		}
		vm.set("poweroff")
		return nil
	})
}
