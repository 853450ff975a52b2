package vbox

import (
	"errors"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ErrorKind classifies VBoxManage's errors.
type ErrorKind string

const (
	NotFound            ErrorKind = "vm-unknown"           // no such VM, for this user at least
	NotRunning          ErrorKind = "vm-not-running"       // controlvm on a VM that has no process
	Locked              ErrorKind = "vm-locked"            // modifyvm on a VM that another process has locked
	notReady            ErrorKind = "not-ready"            // the VM is changing its state: worth a retry
	ruleExists          ErrorKind = "rule-exists"          // a NAT rule of that name
	portExists          ErrorKind = "port-exists"          // another NAT rule of the VM has that host port
	ruleMissing         ErrorKind = "rule-missing"         // no NAT rule of that name
	NetNotAllowed       ErrorKind = "net-not-allowed"      // address outside of what networks.conf allows
	HostOnlyUnsupported ErrorKind = "hostonly-unsupported" // 7.x on macOS has host-only networks instead
	HostOnlyMissing     ErrorKind = "hostonly-missing"     // no such host-only adapter
	KernelDriver        ErrorKind = "kernel-driver"        // vboxdrv or vboxnetadp is not loaded, or not approved
	accessDenied        ErrorKind = "access-denied"
	otherError          ErrorKind = "other"
)

// Error is a complaint of VBoxManage's.
type Error struct {
	Kind ErrorKind
	Text string // its first line, without "VBoxManage: error: "
	Err  error  // the *host.CmdError; nil if VBoxManage exited with 0
}

// Error is an error that VBoxManage printed.
func (e *Error) Error() string { return "VBoxManage: " + e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same command may succeed a moment later.
func (e *Error) Retryable() bool { return e.Kind == notReady }

// Check turns the result of running VBoxManage into nil or an error. VBoxManage may exit with 0
// after printing "error:" on stderr (docker/machine b170508b, drivers/virtualbox/vbm.go); that is
// an error, too. It returns an err that is not a *host.CmdError, such as a deadline or a missing
// program, unchanged.
func Check(out host.Output, err error) error {
	stdout, stderr := string(out.Stdout), string(out.Stderr)
	var cmdErr *host.CmdError
	switch {
	case errors.As(err, &cmdErr):
		stdout, stderr = cmdErr.Stdout, cmdErr.Stderr
	case err != nil:
		return err
	case !strings.Contains(stderr, "error:"):
		return nil
	}
	// stdout has the requested output, which may contain anything, so it is searched only if stderr
	// is empty.
	text := stderr
	if strings.TrimSpace(text) == "" {
		text = stdout
	}
	return &Error{Kind: Classify(text), Text: firstError(text), Err: err}
}

func firstError(text string) string {
	fallback := "failed without a word"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if _, msg, ok := strings.Cut(line, "error:"); ok && strings.TrimSpace(msg) != "" {
			return strings.TrimSpace(msg)
		}
		if line != "" && fallback == "failed without a word" {
			fallback = line
		}
	}
	return fallback
}

// KindOf returns the kind of VBoxManage's error in err; "" if err is another error or nil.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// Classify returns the kind of an error that VBoxManage printed: that of the first row that
// matches. The texts of "Details" and "Context" lines are the same in every language. Codes are
// spelled E_… on Windows; elsewhere NS_ERROR_… if XPCOM has its own name for them.
func Classify(text string) ErrorKind {
	for _, row := range complaints() {
		for _, all := range row.any {
			if containsAll(text, all) {
				return row.kind
			}
		}
	}
	return otherError
}

type complaint struct {
	kind ErrorKind
	any  [][]string // matches if a text has all strings of one of these
}

func complaints() []complaint {
	return []complaint{
		{NotFound, [][]string{
			{"Could not find a registered machine"}, // VirtualBoxImpl.cpp
			{"VBOX_E_OBJECT_NOT_FOUND", "FindMachine("},
		}},
		{notReady, [][]string{
			{"The object is not ready"}, // comes with E_ACCESSDENIED; docker/machine vbm.go retries it
			{"lock request pending"},
		}},
		{ruleExists, [][]string{{"A NAT rule of this name already exists"}}},                 // NATEngineImpl.cpp
		{portExists, [][]string{{"A NAT rule for this host port and this host IP already"}}}, // likewise
		// NATEngine::removeRedirect returns the bare code, without a text.
		{ruleMissing, [][]string{{"INVALIDARG", "RemoveRedirect("}, {"INVALID_ARG", "RemoveRedirect("}}},
		{NetNotAllowed, [][]string{
			{"E_ACCESSDENIED", "EnableStaticIPConfig("}, // kubernetes/minikube#12764
			{"E_ACCESSDENIED", "EnableStaticIPConfigV6("},
		}},
		// In 7.x's own dialogue it continues "use host-only networks instead."; at startvm it ends in
		// "!" (hashicorp/vagrant#12959).
		{HostOnlyUnsupported, [][]string{{"Host-only adapters are no longer supported"}}},
		{KernelDriver, [][]string{
			{"kernel module is not loaded"}, // VBox.sh
			{"Kernel driver not installed"},
			{"VERR_VM_DRIVER_NOT_INSTALLED"}, // rc=-1908
			{"rc=-1908"},
			{"/dev/vboxdrv"},
			{"/dev/vboxnetctl"},                 // macOS with its kexts not approved: umbrel-dev#33, hashicorp/vagrant#12967
			{"VERR_SUPDRV_COMPONENT_NOT_FOUND"}, // at startvm: VBoxNetFlt alone is not loaded
		}},
		{HostOnlyMissing, [][]string{
			{"The host network interface", "could not be found"}, // up to 5.x named '…', with the given name
			{"INVALIDARG", "FindHostNetworkInterfaceByName("},    // in another language
			{"INVALID_ARG", "FindHostNetworkInterfaceByName("},
			{"Nonexistent host networking interface"}, // at startvm
			{"VERR_INTNET_FLT_IF_NOT_FOUND"},          // likewise, docker/machine#2559
		}},
		{Locked, [][]string{
			{"already locked for a session"}, // docker/machine#1679
			{"already locked by a session"},
			{"VBOX_E_INVALID_OBJECT_STATE", "LockMachine("},
		}},
		{NotRunning, [][]string{
			{"is not currently running"}, // VBoxManageControlVM.cpp
		}},
		{accessDenied, [][]string{{"E_ACCESSDENIED"}}},
	}
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
