// Package fakevbox replaces VirtualBox: a VBoxManage and a VBoxHeadless that keep
// virtual machines in one file and run no virtual machine.
//
// Manage is the main function of VBoxManage. It knows the verbs, dialects and
// error texts that this program meets, and those that docker-machine 0.16.2's
// virtualbox driver uses (docker/machine b170508b, drivers/virtualbox). Tried by
// hand, in the privileged lab with docker-machine 0.16.2 built from its source: ls,
// status, ip, url, env, config, inspect, version, active, ssh, scp, stop, start (from
// poweroff, paused and saved), restart, kill, regenerate-certs -f and rm work; create
// makes and starts the VM, and then waits in vain for sshd, as there is no guest in
// it; upgrade ends where it would download an ISO.
//
// Headless is the main function of VBoxHeadless, one process for a running VM. It
// opens a loopback listener for each TCP NAT rule and carries what arrives into
// a Guest. As with VirtualBox's NAT,
//
//   - a connection to the host port succeeds although nothing listens on the
//     guest's port; it is closed right after;
//   - a listener that could not be opened is not reported: the rule is there and
//     somebody else has the port, or nobody;
//   - rules that are added and deleted take effect while the VM runs.
//
// # Guests
//
// What runs inside of a VM is a Guest. The VM's entry in the file names a kind
// and parameters (VM.Guest); the binary that is VBoxHeadless passes a Maker for
// each kind that it knows to Headless. A VM that "createvm" makes, as
// docker-machine does, gets them from the environment, FAKEVBOX_GUEST and
// FAKEVBOX_GUEST_PARAMS. A guest that is more than this process, such as a
// network namespace with a real sshd and dockerd, does in Start whatever it takes
// to boot it (any time: connections are closed until Dial succeeds), keeps what
// it needs to find it again in a file, and in Dial connects to the address that
// the guest has on the NAT side. Stop gets to know whether the power was cut.
//
// # Files
//
// Everything is below one directory, $FAKEVBOX_HOME:
//
//	virtualbox.json  VirtualBox, replaced in one step under the lock
//	calls.log        the arguments of each VBoxManage, one call a line
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

// How says how a guest is stopped.
type How string

const (
	Shutdown How = "shutdown" // ACPI power button: the guest's own way down
	PowerOff How = "poweroff" // the plug is pulled
	Save     How = "save"     // frozen; the next Start has resume set
)

// Guest is what runs inside of a VM. Methods may be called at any time and from
// several goroutines; Dial before Start has returned just fails.
type Guest interface {
	// Start boots the guest, or wakes it up when resume is set.
	Start(ctx context.Context, resume bool) error
	Stop(ctx context.Context, how How) error
	// Dial connects to a TCP port of the guest, as the host-only adapter and the
	// NAT do.
	Dial(ctx context.Context, port int) (net.Conn, error)
}

// Maker opens the guest of a VM; params are VM.Guest.Params.
type Maker func(vm VM, params json.RawMessage) (Guest, error)

// VirtualBox is all that VirtualBox knows.
type VirtualBox struct {
	// Version is what VBoxManage --version prints, and which dialect is spoken:
	// "4.3.40r110317", "5.2.44r139111", "6.1.28r147628", "7.0.20r163906" …
	Version string `json:"version"`
	// Platform is the operating system that VirtualBox believes in: "darwin",
	// "linux". From 7.0 on darwin has no host-only adapters any more.
	Platform     string       `json:"platform"`
	VMs          []*VM        `json:"vms"`
	HostOnlyIfs  []HostOnlyIf `json:"hostonlyifs,omitempty"`
	HostOnlyNets []HostOnlyNt `json:"hostonlynets,omitempty"`
	DHCP         []DHCPServer `json:"dhcp,omitempty"`
	Faults       []Fault      `json:"faults,omitempty"`
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
	SATA       bool              `json:"sata,omitempty"` // it has a storage controller of that name
	Properties map[string]string `json:"properties,omitempty"`
	Guest      GuestRef          `json:"guest"`
	IP         string            `json:"ip,omitempty"` // its host-only address
	PID        int               `json:"pid,omitempty"`
}

// GuestRef names a VM's guest.
type GuestRef struct {
	Kind   string          `json:"kind,omitempty"` // "" has no guest: nothing listens
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

// HostOnlyNt is a host-only network, VirtualBox 7's successor of the adapter.
type HostOnlyNt struct {
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

// Fault makes VBoxManage fail without doing what was asked for.
type Fault struct {
	// Match is the beginning of the arguments, joined by blanks.
	Match string `json:"match"`
	// Times is how often it happens; 0 is always.
	Times  int    `json:"times,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Exit   int    `json:"exit"`
}

// NotReady is the text of VirtualBox's retryable error.
const NotReady = "VBoxManage: error: The object is not ready\n" +
	"VBoxManage: error: Details: code E_ACCESSDENIED (0x80070005), component MachineWrap, interface IMachine, callee nsISupports\n"

// Home is the directory that the environment names.
func Home() (string, error) {
	if h := os.Getenv("FAKEVBOX_HOME"); h != "" {
		return h, nil
	}
	return "", errors.New("FAKEVBOX_HOME is not set")
}

// Load reads the world. One that was never saved is VirtualBox 6.1 without VMs.
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

// Update changes the world under the lock. Nothing is saved if change fails.
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

// Find looks a VM up by name or UUID; nil if there is none.
func (w *VirtualBox) Find(name string) *VM {
	for _, vm := range w.VMs {
		if vm.Name == name || strings.EqualFold(vm.UUID, strings.Trim(name, "{}")) {
			return vm
		}
	}
	return nil
}

// version splits "6.1.28r147628" into numbers for comparing: 60128.
func (w *VirtualBox) version() int {
	var major, minor, patch int
	_, _ = fmt.Sscanf(w.Version, "%d.%d.%d", &major, &minor, &patch)
	return major*10000 + minor*100 + patch
}

// noAdapters says that this VirtualBox has host-only networks instead of adapters.
func (w *VirtualBox) noAdapters() bool { return w.Platform == "darwin" && w.version() >= 70000 }

// set changes the state of a VM.
func (vm *VM) set(state string) { vm.State, vm.Changed = state, time.Now().UTC() }

// live says that a VM has a process.
func (vm *VM) live() bool {
	switch vm.State {
	case "running", "paused", "starting", "restoring", "saving", "stopping", "gurumeditation", "stuck":
		return true
	}
	return false
}
