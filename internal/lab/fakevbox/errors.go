package fakevbox

import (
	"fmt"
	"strings"
)

// failure is the error of a VBoxManage call: lines that are printed after "VBoxManage: error: "
// (unless raw), and an exit status.
type failure struct {
	lines []string
	exit  int
	raw   bool
}

func (f *failure) Error() string { return strings.Join(f.lines, "\n") }

func (f *failure) text() string {
	var b strings.Builder
	for _, l := range f.lines {
		if f.raw {
			b.WriteString(l + "\n")
		} else {
			b.WriteString("VBoxManage: error: " + l + "\n")
		}
	}
	return b.String()
}

func fail(lines ...string) *failure { return &failure{lines: lines, exit: 1} }

// comError returns a failure with the details that VBoxManage prints about a COM error.
func comError(text, code, component, iface, context string) *failure {
	return fail(text,
		fmt.Sprintf("Details: code %s, component %s, interface %s, callee nsISupports", code, component, iface),
		"Context: "+context)
}

const (
	notFound     = "VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)"
	invalidState = "VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)"
	invalidArg   = "NS_ERROR_INVALID_ARG (0x80070057)"
	accessDenied = "E_ACCESSDENIED (0x80070005)"
	nsFailure    = "NS_ERROR_FAILURE (0x80004005)"
)

func noVM(name string) *failure {
	return comError(fmt.Sprintf("Could not find a registered machine named '%s'", name), notFound, "VirtualBoxWrap", "IVirtualBox",
		`"FindMachine(Bstr(a->argv[0]).raw(), machine.asOutParam())" at line 385 of file VBoxManageMisc.cpp`)
}

// locked is the error of a command that needs exclusive access to a VM while it runs.
func locked(name string) *failure {
	return comError(fmt.Sprintf("The machine '%s' is already locked for a session (or being unlocked)", name), invalidState, "MachineWrap", "IMachine",
		`"LockMachine(a->session, LockType_Write)" at line 640 of file VBoxManageModifyVM.cpp`)
}

// started is the error of startvm for a VM that runs.
func started(name string) *failure {
	return comError(fmt.Sprintf("The machine '%s' is already locked by a session (or being locked or unlocked)", name), invalidState, "MachineWrap", "IMachine",
		`"LaunchVMProcess(a->session, sessionType.raw(), ComSafeArrayAsInParam(aBstrEnv), progress.asOutParam())" at line 727 of file VBoxManageMisc.cpp`)
}

// notMutable is the error of modifyvm about network cards of a saved VM (VirtualBox's
// NetworkAdapterImpl.cpp, setEnabled).
func notMutable() *failure {
	return comError("The machine is not mutable (state is Saved)", "VBOX_E_INVALID_VM_STATE (0x80bb0002)", "NetworkAdapterWrap", "INetworkAdapter",
		`"COMSETTER(Enabled)(TRUE)" in VBoxManageModifyVM.cpp`)
}

func (w *VirtualBox) notRunning(name string) *failure {
	text := fmt.Sprintf("Machine '%s' is not currently running", name)
	if w.version() >= 70000 {
		text += "."
	}
	return fail(text)
}

func noAdapter(name, caller string) *failure {
	return comError(fmt.Sprintf("The host network interface named '%s' could not be found", name), invalidArg, "HostWrap", "IHost",
		`"FindHostNetworkInterfaceByName(Bstr(pszName).raw(), hif.asOutParam())" at line `+caller+` of file VBoxManageHostonly.cpp`)
}

func notSaved(vm *VM) *failure {
	f := comError(fmt.Sprintf("Cannot discard the saved state as the machine is not in the Saved or Aborted-Saved state (machine state: %s)", stateWord(vm.State)),
		"VBOX_E_INVALID_VM_STATE (0x80bb0002)", "SessionMachine", "IMachine", `"DiscardSavedState(true )" at line 1292 of file VBoxManageMisc.cpp`)
	f.exit = 0 // as VirtualBox has it
	return f
}

// stateWord returns a state in the spelling of VirtualBox's errors.
func stateWord(state string) string {
	if state == "poweroff" {
		return "PoweredOff"
	}
	return strings.ToUpper(state[:1]) + state[1:]
}

func ruleExists() *failure {
	return comError("A NAT rule of this name already exists", invalidArg, "NATEngineWrap", "INATEngine",
		`"AddRedirect(Bstr(strName).raw(), proto, Bstr(strHostIp).raw(), RTStrToUInt16(strHostPort), Bstr(strGuestIp).raw(), RTStrToUInt16(strGuestPort))" at line 1838 of file VBoxManageModifyVM.cpp`)
}

func portRuleExists() *failure {
	return comError("A NAT rule for this host port and this host IP already exists", invalidArg, "NATEngineWrap", "INATEngine",
		`"AddRedirect(Bstr(strName).raw(), proto, Bstr(strHostIp).raw(), RTStrToUInt16(strHostPort), Bstr(strGuestIp).raw(), RTStrToUInt16(strGuestPort))" at line 1838 of file VBoxManageModifyVM.cpp`)
}

func ruleMissing() *failure {
	return fail("Code "+invalidArg+" - Invalid argument value (extended info not available)",
		`Context: "RemoveRedirect(Bstr(ValueUnion.psz).raw())" at line 1849 of file VBoxManageModifyVM.cpp`)
}

func netNotAllowed() *failure {
	return fail("Code "+accessDenied+" - Access denied (extended info not available)",
		`Context: "EnableStaticIPConfig(Bstr(pIp).raw(), Bstr(pNetmask).raw())" at line 242 of file VBoxManageHostonly.cpp`)
}

// noCtl is the error of hostonlyif on a Mac whose VirtualBox has no kernel extensions.
func noCtl() *failure {
	return &failure{exit: 1, raw: true, lines: []string{
		"0%...",
		"Progress state: NS_ERROR_FAILURE",
		"VBoxManage: error: Failed to create the host-only adapter",
		"VBoxManage: error: VBoxNetAdpCtl: Error while adding new interface: failed to open /dev/vboxnetctl: No such file or directory",
		"VBoxManage: error: Details: code " + nsFailure + ", component HostNetworkInterfaceWrap, interface IHostNetworkInterface",
		`VBoxManage: error: Context: "RTEXITCODE handleCreate(HandlerArg *)" at line 105 of file VBoxManageHostonly.cpp`,
	}}
}

// adaptersGone is the error of startvm with VirtualBox 7 on a Mac.
func adaptersGone() *failure {
	return fail("Host-only adapters are no longer supported!",
		"Details: code "+nsFailure+", component ConsoleWrap, interface IConsole")
}

func usage(format string, a ...any) *failure {
	f := fail(fmt.Sprintf(format, a...))
	f.exit = 2
	return f
}
