// Package target is what the layers inspect and the changes change: one machine,
// the laptop, and the docker host behind it. What several layers need to know is
// asked once and shared: the VM, the docker host's facts, what answers where.
package target

import (
	"cmp"
	"context"
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
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// Flags are the user's wishes that plans depend on.
type Flags struct {
	Port          int    // host port that a new NAT rule must get; 0 leaves the choice to us
	Reissue       bool   // a new server certificate even if the old one is good
	StopVMs       bool   // VMs may be saved and resumed
	AcceptHostKey bool   // a changed SSH host key is taken as the new one
	Storage       string // the store's directory as -s gives it; "" without -s
}

// Target is one machine and everything around it.
type Target struct {
	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	// Network, VirtualBox and Docker are the laptop's, VM and Guest the machine's; these
	// are nil where there is no machine.
	Network    *laptop.Network
	VirtualBox *virtualbox.Manager
	Docker     *dockercli.CLI
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

// Name is what progress lines call it: the machine's name, or VirtualBox where there is
// no machine.
func (t *Target) Name() string { return cmp.Or(t.Machine.Name, "VirtualBox") }

// Hint is a hint about this machine.
func (t *Target) Hint(h hint.Hint) hint.Hint {
	return h.For(t.Storage, t.Machine.Name).Using(func() string { return dockermachine.Program(t.Laptop) })
}

// StartHint starts the VM. docker-machine cannot where there is a host-only network in
// place of an adapter.
func (t *Target) StartHint(ctx context.Context) hint.Hint {
	if t.VM.OnHostOnlyNetwork(ctx) {
		return hint.VBoxManage(vbox.StartVM(t.Machine.VMName)...)
	}
	return t.Hint(hint.DockerMachine("start", hint.Machine))
}

// MachineState is the directory of this machine's journals, lock and host-key pin. Stores
// may hold machines of the same name, so it is named after both.
func (t *Target) MachineState() string {
	return MachineState(t.StateDir, t.Machine.StoreDir, t.Machine.Name)
}

// HostOnlyNet is the docker host on its host-only network, for what asks the laptop's
// network about it.
func (t *Target) HostOnlyNet() laptop.HostOnly {
	return laptop.HostOnly{Addr: t.Machine.IP, Laptop: t.Machine.HostOnlyCIDR, Adapter: t.VM.HostOnlyAdapter}
}

// HostOnly is the host-only address of the docker host; the zero Addr where the
// machine has none.
func (t *Target) HostOnly() netip.Addr { return t.Machine.IP }
