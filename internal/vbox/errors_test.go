package vbox

import (
	"context"
	"errors"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// The texts are VBoxManage's own, as users pasted them into public issues.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		situation string
		stderr    string
		kind      ErrorKind
		text      string
	}{
		{"vm_unknown", `VBoxManage: error: Could not find a registered machine named 'default'
VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component VirtualBoxWrap, interface IVirtualBox, callee nsISupports
VBoxManage: error: Context: "FindMachine(Bstr(VMNameOrUuid).raw(), machine.asOutParam())" at line 2781 of file VBoxManageInfo.cpp
`, NotFound, "Could not find a registered machine named 'default'"},
		{"modifyvm_on_a_running_vm_docker_machine_1679", `VBoxManage: error: The machine 'default' is already locked for a session (or being unlocked)
VBoxManage: error: Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap, interface IMachine, callee nsISupports
VBoxManage: error: Context: "LockMachine(a->session, LockType_Write)" at line 640 of file VBoxManageModifyVM.cpp
`, Locked, "The machine 'default' is already locked for a session (or being unlocked)"},
		{"controlvm_on_a_stopped_vm", "VBoxManage: error: Machine 'default' is not currently running.\n", NotRunning, "Machine 'default' is not currently running."},
		{"between_two_states", `VBoxManage: error: The object is not ready
VBoxManage: error: Details: code E_ACCESSDENIED (0x80070005), component SessionMachine, interface IMachine, callee nsISupports
`, notReady, "The object is not ready"},
		{"lock_pending", "VBoxManage: error: The machine 'debian' already has a lock request pending\n", notReady, "The machine 'debian' already has a lock request pending"},
		{"rule_of_that_name", `VBoxManage.exe: error: A NAT rule of this name already exists
VBoxManage.exe: error: Details: code E_INVALIDARG (0x80070057), component NATEngineWrap, interface INATEngine, callee IUnknown
`, ruleExists, "A NAT rule of this name already exists"},
		{"port_of_another_rule", `VBoxManage: error: A NAT rule for this host port and this host IP already exists
VBoxManage: error: Details: code NS_ERROR_INVALID_ARG (0x80070057), component NATEngine, interface INATEngine, callee nsISupports
`, portExists, "A NAT rule for this host port and this host IP already exists"},
		{"no_rule_of_that_name", `VBoxManage: error: Code NS_ERROR_INVALID_ARG (0x80070057) - Invalid argument value (extended info not available)
VBoxManage: error: Context: "RemoveRedirect(Bstr(ValueUnion.psz).raw())" at line 1999 of file VBoxManageModifyVM.cpp
`, ruleMissing, "Code NS_ERROR_INVALID_ARG (0x80070057) - Invalid argument value (extended info not available)"},
		{"networks_conf_minikube_12764", `VBoxManage: error: Code E_ACCESSDENIED (0x80070005) - Access denied (extended info not available)
VBoxManage: error: Context: "EnableStaticIPConfig(Bstr(pszIp).raw(), Bstr(pszNetmask).raw())" at line 242 of file VBoxManageHostonly.cpp
`, NetNotAllowed, "Code E_ACCESSDENIED (0x80070005) - Access denied (extended info not available)"},
		{"virtualbox_7_on_macos_vagrant_12959", "VBoxManage: error: Host-only adapters are no longer supported!\n", HostOnlyUnsupported, "Host-only adapters are no longer supported!"},
		{"adapter_gone", "VBoxManage: error: The host network interface named 'vboxnet3' could not be found\n", HostOnlyMissing, "The host network interface named 'vboxnet3' could not be found"},
		{"adapter_gone_at_start", "VBoxManage: error: Nonexistent host networking interface, name 'vboxnet0' (VERR_INTERNAL_ERROR)\n", HostOnlyMissing, "Nonexistent host networking interface, name 'vboxnet0' (VERR_INTERNAL_ERROR)"},
		{"kexts_not_approved_vagrant_12967", `0%...
Progress state: NS_ERROR_FAILURE
VBoxManage: error: Failed to create the host-only adapter
VBoxManage: error: VBoxNetAdpCtl: Error while adding new interface: failed to open /dev/vboxnetctl: No such file or directory
VBoxManage: error: Details: code NS_ERROR_FAILURE (0x80004005), component HostNetworkInterfaceWrap, interface IHostNetworkInterface
`, KernelDriver, "Failed to create the host-only adapter"},
		{"vboxdrv_not_loaded", `VBoxManage: error: The virtual machine 'default' has terminated unexpectedly during startup because of signal 6
VBoxHeadless: Error -1908 in suplibOsInit!
VBoxHeadless: Kernel driver not installed
`, KernelDriver, "The virtual machine 'default' has terminated unexpectedly during startup because of signal 6"},
		{"another_users_settings", "VBoxManage: error: Details: code E_ACCESSDENIED (0x80070005), component VirtualBox\n", accessDenied, "Details: code E_ACCESSDENIED (0x80070005), component VirtualBox"},
		{"no_vt_x", "VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)\n", otherError, "VT-x is not available (VERR_VMX_NO_VMX)"},
	} {
		t.Run(c.situation, func(t *testing.T) {
			cmdErr := &host.CmdError{Argv: []string{"VBoxManage"}, Exit: 1, Stderr: c.stderr}
			exitedWithZero := Check(host.Output{Stderr: []byte(c.stderr)}, nil)
			for _, err := range []error{exitedWithZero, Check(host.Output{}, cmdErr)} {
				var e *Error
				if !errors.As(err, &e) || e.Kind != c.kind || e.Text != c.text {
					t.Errorf("got %#v", err)
				}
			}
			if !errors.Is(Check(host.Output{}, cmdErr), error(cmdErr)) {
				t.Error("the command's error is lost")
			}
		})
	}
}

func TestCheckLeavesAlone(t *testing.T) {
	if err := Check(host.Output{Stdout: []byte(`name="error: no"`), Stderr: []byte("0%...10%...100%\n")}, nil); err != nil {
		t.Errorf("progress on stderr: %v", err)
	}
	if err := Check(host.Output{}, context.DeadlineExceeded); err != context.DeadlineExceeded {
		t.Errorf("deadline: %v", err)
	}
	var e *Error
	if err := Check(host.Output{}, &host.CmdError{Exit: 139}); !errors.As(err, &e) || e.Kind != otherError || e.Error() != "VBoxManage: failed without a word" {
		t.Errorf("silent crash: %v", err)
	}
	if !(&Error{Kind: notReady}).Retryable() || (&Error{Kind: Locked}).Retryable() {
		t.Error("only not-ready is worth a retry")
	}
}

// FuzzCheck: an exit status other than 0 is always an error with a text of one
// line, and "error:" on stderr is one whatever the exit status.
func FuzzCheck(f *testing.F) {
	f.Add("VBoxManage: error: x\n", true)
	f.Add("error:", false)
	f.Add("\n\n", true)
	f.Fuzz(func(t *testing.T, stderr string, failed bool) {
		var err error
		if failed {
			err = &host.CmdError{Exit: 1, Stderr: stderr}
		}
		got := Check(host.Output{Stderr: []byte(stderr)}, err)
		var e *Error
		if errors.As(got, &e) != (failed || containsAll(stderr, []string{"error:"})) {
			t.Fatalf("got %v", got)
		}
		if e != nil && (e.Text == "" || containsAll(e.Text, []string{"\n"}) || e.Kind == "") {
			t.Errorf("%#v", e)
		}
	})
}
