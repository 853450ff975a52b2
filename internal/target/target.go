// Package target is what HOST names: what the layers inspect and the changes change, the
// laptop and one docker host. What several layers need to know is asked once and shared:
// the VM, the docker host's facts, what answers where.
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

// Flags are the user's wishes that plans depend on.
type Flags struct {
	RulePort      int    // the laptop's port that a new NAT rule must get; 0 leaves the choice to us
	Reissue       bool   // a new server certificate even if the old one is good
	StopVMs       bool   // VMs may be saved and resumed
	AcceptHostKey bool   // a changed SSH host key is taken as the new one
	Storage       string // the store's directory as -s gives it; "" without -s
}

// Target is one docker host and everything around it.
type Target struct {
	// Ref is what the user named, Kind how the docker host is reached: never Context.
	Ref  Ref
	Kind Kind
	// Context is the docker context whose endpoint this is, if one was named.
	Context string
	// Host runs commands on the docker host and connects from there. Nothing is logged in to
	// before its first use. It is nil where no command can run there: tcp://, and a dockerd
	// behind a unix socket on macOS, which is in a VM.
	Host host.Host
	// Docker connects to the docker host's API.
	Docker func(context.Context) (net.Conn, error)
	// Socket is the path of dockerd's socket, on this computer or on the docker host of
	// ssh://. TCP and UserSSH are what their forms need, zero for others.
	Socket  string
	TCP     TCPEndpoint
	UserSSH *userssh.Login

	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	// Network, VirtualBox and DockerCLI are the laptop's, VM and Guest the machine's; these
	// are nil where there is no machine.
	Network    *laptop.Network
	VirtualBox *virtualbox.Manager
	DockerCLI  *dockercli.CLI
	VM         *virtualbox.Machine
	Guest      *dockerhost.Client
	Endpoints  *endpoint.Finder
	// LoadErr is why the machine's config.json could not be read; Machine then
	// has only its name.
	LoadErr error
	Flags
	Getenv   func(string) string
	Now      func() time.Time
	StateDir string
	// Applied are the kinds of change that this run has made.
	Applied []string
	// Mode is what is being done with the machine now; only Enter changes it.
	Mode mode.Mode
	// Owners are the store's machines by the hash of their server's public key. All
	// machines of a store share them.
	Owners *memo.Of[map[string]string]
	// SSH is the way in to the docker host; it outlives Forget.
	SSH *access.Access
	// Notify prints a line of progress, such as what a wait is for.
	Notify func(format string, args ...any)

	key string // of the state directory of a docker host that is no machine
}

// Enter puts the target into a mode until leave is called.
func (t *Target) Enter(m mode.Mode) (leave func()) {
	before := t.Mode
	t.Mode = m
	return func() { t.Mode = before }
}

// Forget drops what may have changed. The SSH connection stays.
func (t *Target) Forget() {
	if t.VM != nil {
		t.VM.Forget()
		t.Guest.Forget()
		t.Endpoints.Forget()
	}
}

// Again is the same docker host without the connections that this one has: its first use
// logs in anew.
func (t *Target) Again(ctx context.Context) (*Target, error) {
	again := &Target{
		Laptop: t.Laptop, Store: t.Store, DockerCLI: t.DockerCLI, Network: t.Network, VirtualBox: t.VirtualBox, Owners: t.Owners,
		Getenv: t.Getenv, Now: t.Now, StateDir: t.StateDir, Notify: t.Notify, Flags: t.Flags, Mode: t.Mode,
	}
	err := again.Open(ctx, t.Ref)
	return again, err
}

// Name is what progress lines call it: HOST as a user writes it, or VirtualBox where there
// is no docker host.
func (t *Target) Name() string { return cmp.Or(t.hostArg(), "VirtualBox") }

// Hint is a hint about this docker host.
func (t *Target) Hint(h hint.Hint) hint.Hint {
	return h.For(t.Storage, t.hostArg()).Using(func() string { return dockermachine.Program(t.Laptop) })
}

// hostArg is HOST in a command line; "" where there is no docker host.
func (t *Target) hostArg() string { return cmp.Or(t.Ref.Arg(), t.Machine.Name) }

// StartHint starts the VM. docker-machine cannot where there is a host-only network in
// place of an adapter.
func (t *Target) StartHint(ctx context.Context) hint.Hint {
	if t.VM.OnHostOnlyNetwork(ctx) {
		return hint.VBoxManage(vbox.StartVM(t.Machine.VMName)...)
	}
	return t.Hint(hint.DockerMachine("start", hint.Machine))
}

// State is the directory of this docker host's journals and lock, and of a machine's
// host-key pin. Stores may hold machines of the same name, so that a machine's is named
// after both. A docker context has that of its endpoint.
func (t *Target) State() string {
	if t.Kind != Machine {
		return HostState(t.StateDir, t.key)
	}
	return MachineState(t.StateDir, t.Machine.StoreDir, t.Machine.Name)
}

// HostOnlyDestination is the docker host on its host-only network, for what asks the laptop's
// network about it.
func (t *Target) HostOnlyDestination() laptop.Destination {
	return laptop.Destination{Addr: t.Machine.IP, Laptop: t.Machine.HostOnlyCIDR, Adapter: t.VM.HostOnlyAdapter}
}

// HostOnlyAddr is the host-only address of the docker host; the zero Addr where the
// machine has none.
func (t *Target) HostOnlyAddr() netip.Addr { return t.Machine.IP }
