// Package fakevbox replaces VirtualBox: a VBoxManage and a VBoxHeadless that keep the state of
// virtual machines in one file, but run none.
//
// Manage is the main function of VBoxManage. It supports the verbs, dialects and error texts that
// this program meets, and those that docker-machine 0.16.2's virtualbox driver uses (docker/machine
// b170508b, drivers/virtualbox). With docker-machine 0.16.2 built from its source, tried by hand in
// the privileged lab, these work: ls, status, ip, url, env, config, inspect, version, active, ssh,
// scp, stop, start (from poweroff, paused and saved), restart, kill, regenerate-certs -f and rm.
// create makes and starts the VM, and then waits for sshd in vain, because the VM has no guest;
// upgrade ends where it would download an ISO.
//
// Headless is the main function of VBoxHeadless, one process for each running VM. It opens a
// loopback listener for each TCP NAT rule and passes connections to a Guest. As with VirtualBox's
// NAT,
//
//   - a connection to the host port succeeds even if nothing listens on the guest's port; then it
//     is closed at once;
//   - a listener that could not be opened is not reported: the rule exists, although another
//     program may have the port;
//   - rules that are added or deleted take effect while the VM runs.
//
// # Guests
//
// A Guest is what runs inside a VM. The VM's entry in the file names its kind and parameters
// (VM.Guest); the binary that is VBoxHeadless passes a Maker for each kind to Headless. For a VM
// made by "createvm", which docker-machine uses, they are in the environment: FAKEVBOX_GUEST and
// FAKEVBOX_GUEST_PARAMS. A guest may be more than this process, such as a network namespace with a
// real sshd and dockerd. Its Start boots it, however long that takes (connections are closed until
// Dial succeeds), and saves to a file what is needed to find it again; its Dial connects to the
// guest's address on the NAT side. The argument of Stop is whether the power was cut.
//
// # Files
//
// All files are in one directory, $FAKEVBOX_HOME:
//
//	virtualbox.json  the state, type VirtualBox; replaced in one step under the lock
//	calls.log        the arguments of each VBoxManage call, one line each
//	run/UUID.ctl     the VM process's own socket
//	run/UUID.net     the VM's host-only adapter, see DialHostOnly
package fakevbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// How is the way in which a guest is stopped.
type How string

const (
	Shutdown How = "shutdown" // ACPI power button: the guest shuts down
	PowerOff How = "poweroff" // the power is cut
	Save     How = "save"     // frozen; the next Start is called with resume true
)

// Guest is what runs inside a VM. Its methods may be called at any time and from several
// goroutines. Dial fails before Start has returned.
type Guest interface {
	// Start boots the guest, or resumes it if resume is true.
	Start(ctx context.Context, resume bool) error
	Stop(ctx context.Context, how How) error
	// Dial connects to a TCP port of the guest, as from the host-only adapter and the NAT.
	Dial(ctx context.Context, port int) (net.Conn, error)
}

// Maker opens the guest of a VM. params is VM.Guest.Params.
type Maker func(vm VM, params json.RawMessage) (Guest, error)

// VirtualBox is VirtualBox's whole state.
type VirtualBox struct {
	// Version is what VBoxManage --version prints. It also decides the dialect: "4.3.40r110317",
	// "5.2.44r139111", "6.1.28r147628", "7.0.20r163906" …
	Version string `json:"version"`
	// Platform is the operating system for which VirtualBox was built: "darwin", "linux". From 7.0
	// on, darwin has no host-only adapters.
	Platform     string        `json:"platform"`
	VMs          []*VM         `json:"vms"`
	HostOnlyIfs  []HostOnlyIf  `json:"hostonlyifs,omitempty"`
	HostOnlyNets []HostOnlyNet `json:"hostonlynets,omitempty"`
	DHCP         []DHCPServer  `json:"dhcp,omitempty"`
	Faults       []Fault       `json:"faults,omitempty"`
}

// VM is a virtual machine.
type VM struct {
	Name       string            `json:"name"`
	UUID       string            `json:"uuid"`
	CfgFile    string            `json:"cfg_file"`
	State      string            `json:"state"` // poweroff running paused saved aborted starting …
	Changed    time.Time         `json:"changed"`
	CPUs       int               `json:"cpus"`
	Memory     int               `json:"memory"`
	NICs       []NIC             `json:"nics"` // slot 1 is NICs[0]
	Media      map[string]string `json:"media,omitempty"`
	SATA       bool              `json:"sata,omitempty"` // it has a storage controller named SATA
	Properties map[string]string `json:"properties,omitempty"`
	Guest      GuestRef          `json:"guest"`
	IP         string            `json:"ip,omitempty"` // its host-only address
	PID        int               `json:"pid,omitempty"`
}

// GuestRef names a VM's guest.
type GuestRef struct {
	Kind   string          `json:"kind,omitempty"` // "" means no guest: nothing listens
	Params json.RawMessage `json:"params,omitempty"`
}

// NIC is a network adapter of a VM.
type NIC struct {
	Attachment string    `json:"attachment"` // none nat hostonly hostonlynetwork bridged …
	Adapter    string    `json:"adapter,omitempty"`
	MAC        string    `json:"mac,omitempty"`
	CableOff   bool      `json:"cable_off,omitempty"`
	Forwards   []Forward `json:"forwards,omitempty"`
}

// Forward is a NAT rule.
type Forward struct {
	Name      string `json:"name"`
	Proto     string `json:"proto"` // tcp, udp
	HostIP    string `json:"host_ip"`
	HostPort  int    `json:"host_port"`
	GuestIP   string `json:"guest_ip"`
	GuestPort int    `json:"guest_port"`
}

// HostOnlyIf is a host-only adapter.
type HostOnlyIf struct {
	Name string `json:"name"`
	IP   string `json:"ip"`
	Mask string `json:"mask"`
	Down bool   `json:"down,omitempty"`
}

// HostOnlyNet is a host-only network, VirtualBox 7's successor of the adapter.
type HostOnlyNet struct {
	Name  string `json:"name"`
	Mask  string `json:"mask"`
	Lower string `json:"lower"`
	Upper string `json:"upper"`
}

// DHCPServer serves a host-only adapter.
type DHCPServer struct {
	Network string `json:"network"`
	IP      string `json:"ip"`
	Mask    string `json:"mask"`
	Lower   string `json:"lower"`
	Upper   string `json:"upper"`
	Enabled bool   `json:"enabled"`
}

// Fault makes VBoxManage fail without doing anything.
type Fault struct {
	// Match is the beginning of the arguments, joined by blanks.
	Match string `json:"match"`
	// Times is how often the fault occurs; 0 means always.
	Times  int    `json:"times,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Exit   int    `json:"exit"`
}

// NotReady is the text of VirtualBox's retryable error.
const NotReady = "VBoxManage: error: The object is not ready\n" +
	"VBoxManage: error: Details: code E_ACCESSDENIED (0x80070005), component MachineWrap, interface IMachine, callee nsISupports\n"

// Home returns VirtualBox's directory, which the environment names.
func Home() (string, error) {
	if h := os.Getenv("FAKEVBOX_HOME"); h != "" {
		return h, nil
	}
	return "", errors.New("FAKEVBOX_HOME is not set")
}

// Load reads VirtualBox's state. If it was never saved, it is VirtualBox 6.1 without VMs.
func Load(home string) (*VirtualBox, error) {
	data, err := os.ReadFile(filepath.Join(home, "virtualbox.json"))
	if errors.Is(err, os.ErrNotExist) {
		return &VirtualBox{Version: "6.1.26r145957", Platform: "linux"}, nil
	}
	if err != nil {
		return nil, err
	}
	w := &VirtualBox{}
	if err := json.Unmarshal(data, w); err != nil {
		return nil, fmt.Errorf("reading virtualbox.json: %w", err)
	}
	return w, nil
}

// Update changes VirtualBox's state under the lock. If change fails, nothing is saved.
func Update(home string, change func(*VirtualBox) error) error {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(home, "lock"))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("locking %s: %w", home, err)
	}
	defer lock.Close()
	w, err := Load(home)
	if err != nil {
		return err
	}
	if err := change(w); err != nil {
		return err
	}
	data, err := json.MarshalIndent(w, "", " ")
	if err != nil {
		return err
	}
	file := filepath.Join(home, "virtualbox.json")
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Find returns the VM with a name or UUID; nil if there is none.
func (w *VirtualBox) Find(name string) *VM {
	for _, vm := range w.VMs {
		if vm.Name == name || strings.EqualFold(vm.UUID, strings.Trim(name, "{}")) {
			return vm
		}
	}
	return nil
}

// version returns "6.1.28r147628" as a number that can be compared: 60128.
func (w *VirtualBox) version() int {
	var major, minor, patch int
	_, _ = fmt.Sscanf(w.Version, "%d.%d.%d", &major, &minor, &patch)
	return major*10000 + minor*100 + patch
}

// noAdapters reports whether this VirtualBox has host-only networks instead of adapters.
func (w *VirtualBox) noAdapters() bool { return w.Platform == "darwin" && w.version() >= 70000 }

// set changes the state of a VM.
func (vm *VM) set(state string) { vm.State, vm.Changed = state, time.Now().UTC() }

// live reports whether a VM has a process.
func (vm *VM) live() bool {
	switch vm.State {
	case "running", "paused", "starting", "restoring", "saving", "stopping", "gurumeditation", "stuck":
		return true
	}
	return false
}
