// Package target opens what HOST names: a Target is the laptop and one docker host, which layers
// inspect and changes change. What several layers need to know, such as the docker host's facts,
// its parts ask once and share.
package target

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// Flags are the user's options on which plans depend.
type Flags struct {
	RulePort      int    // the laptop's port that a new NAT rule must get; 0 for any
	Reissue       bool   // issue a new server certificate even if the old one is good
	StopVMs       bool   // VMs may be saved and resumed
	AcceptHostKey bool   // accept a changed SSH host key
	Storage       string // the store's directory as given by -s; "" without -s
}

// Target is one docker host and everything around it.
type Target struct {
	// Ref is what the user named. Kind is how the docker host is reached; it is never Context.
	Ref  Ref
	Kind Kind
	// Context is the name of the docker context that was opened; "" if none was.
	Context string
	// Host runs commands on the docker host and connects from there. It logs in when it is first
	// used. It is nil if no commands can run there: with tcp://, and with a unix socket on macOS,
	// whose dockerd is in a VM.
	Host host.Host
	// Docker connects to the docker host's API.
	Docker func(context.Context) (net.Conn, error)
	// Socket is the path of dockerd's socket, on this computer or on the docker host of ssh://. TCP
	// and UserSSH are set for tcp:// and ssh:// only.
	Socket  string
	TCP     TCPEndpoint
	UserSSH *userssh.Login

	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	// Network, VirtualBox and DockerCLI are the laptop's. VM, Guest and Endpoints are the
	// machine's; they are nil for other docker hosts.
	Network    *laptop.Network
	VirtualBox *virtualbox.Manager
	DockerCLI  *dockercli.CLI
	VM         *virtualbox.Machine
	Guest      *dockerhost.Client
	Endpoints  *endpoint.Finder
	// LoadErr is why the machine's config.json cannot be read. If it is set, Machine only has a
	// name.
	LoadErr error
	Flags
	Getenv   func(string) string
	Now      func() time.Time
	StateDir string
	// Applied has the kinds of the changes that this run has made.
	Applied []string
	// Mode is what is being done now. Only Enter changes it.
	Mode mode.Mode
	// Owners maps the hash of each server's public key to the name of its machine. All machines of
	// the store share it.
	Owners *memo.Of[map[string]string]
	// SSH logs in to the machine; nil for other docker hosts. Forget keeps its connection.
	SSH *access.Access
	// Notify prints a line of progress, such as what the program waits for.
	Notify func(format string, args ...any)

	key string // names the state directory of a docker host that is not a machine: see HostState
}

// Enter sets the mode until leave is called.
func (t *Target) Enter(m mode.Mode) (leave func()) {
	before := t.Mode
	t.Mode = m
	return func() { t.Mode = before }
}

// Forget drops all remembered answers. Connections stay open.
func (t *Target) Forget() {
	if t.VM != nil {
		t.VM.Forget()
		t.Guest.Forget()
		t.Endpoints.Forget()
	}
}

// Again returns a Target of the same docker host that does not share its connections: it logs in
// anew when it is first used.
func (t *Target) Again(ctx context.Context) (*Target, error) {
	again := &Target{
		Laptop: t.Laptop, Store: t.Store, DockerCLI: t.DockerCLI, Network: t.Network, VirtualBox: t.VirtualBox, Owners: t.Owners,
		Getenv: t.Getenv, Now: t.Now, StateDir: t.StateDir, Notify: t.Notify, Flags: t.Flags, Mode: t.Mode,
	}
	err := again.Open(ctx, t.Ref)
	return again, err
}

// Name returns the name for progress lines: HOST as users write it, or "VirtualBox" if there is no
// docker host.
func (t *Target) Name() string { return cmp.Or(t.hostArg(), "VirtualBox") }

// Hint returns h for this docker host.
func (t *Target) Hint(h hint.Hint) hint.Hint {
	return h.For(t.Storage, t.hostArg()).Using(func() string { return dockermachine.Program(t.Laptop) })
}

// hostArg returns HOST for a command line; "" if there is no docker host.
func (t *Target) hostArg() string { return cmp.Or(t.Ref.Arg(), t.Machine.Name) }

// StartHint returns the command that starts the VM. docker-machine cannot start one that is on a
// host-only network instead of a host-only adapter.
func (t *Target) StartHint(ctx context.Context) hint.Hint {
	if t.VM.OnHostOnlyNetwork(ctx) {
		return hint.VBoxManage(vbox.StartVM(t.Machine.VMName)...)
	}
	return t.Hint(hint.DockerMachine("start", hint.Machine))
}

// State returns the directory of this docker host's journals and lock, and of a machine's pinned
// host key. A machine's is named after its store, too, since several stores may have machines of
// the same name. A docker context shares the directory of its endpoint.
func (t *Target) State() string {
	if t.Kind != Machine {
		return HostState(t.StateDir, t.key)
	}
	return MachineState(t.StateDir, t.Machine.StoreDir, t.Machine.Name)
}

// HostOnlyDestination returns the docker host's address on the host-only network, for questions to
// Network.
func (t *Target) HostOnlyDestination() laptop.Destination {
	return laptop.Destination{Addr: t.Machine.IP, Laptop: t.Machine.HostOnlyCIDR, Adapter: t.VM.HostOnlyAdapter}
}

// HostOnlyAddr returns the host-only address of the docker host; the zero Addr if the machine has
// none.
func (t *Target) HostOnlyAddr() netip.Addr { return t.Machine.IP }
