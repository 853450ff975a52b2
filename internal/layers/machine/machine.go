// Package machine is the first layer: the store's entry and the state of the VM.
package machine

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// State is what was found.
type State struct {
	Name       string     `json:"name"`
	Driver     string     `json:"driver,omitempty"`
	ConfigErr  string     `json:"config_error,omitempty"`
	VirtualBox bool       `json:"virtualbox"`
	VM         vbox.State `json:"vm_state,omitempty"`
	UUID       string     `json:"uuid,omitempty"`
	Version    string     `json:"version,omitempty"`

	// CustomInstall reports that a script of the user's took the place of docker's installation.
	CustomInstall bool `json:"custom_install,omitempty"`

	// NoVBoxManage reports that VirtualBox is not installed; Proven that dockerd
	// answers as this machine all the same.
	NoVBoxManage bool `json:"no_vboxmanage"`
	Proven       bool `json:"proven"`
	AppleSilicon bool `json:"apple_silicon"`
	// NoDriver reports that VirtualBox's kernel modules are not loaded, NoModules
	// why they cannot be restarted.
	NoDriver  bool   `json:"no_driver"`
	NoModules string `json:"no_modules,omitempty"`
	// Adapters is the VM's own, which there cannot be without kernel modules.
	Adapters []vmchange.HostOnly `json:"-"`

	// Missing reports that VirtualBox does not know the VM; Settings is its settings
	// file if that is where docker-machine puts it, Unreadable the UUID of a VM
	// whose settings VirtualBox cannot read, Foreign another user's VM process.
	Missing    bool   `json:"missing"`
	Settings   string `json:"settings_file,omitempty"`
	Unreadable string `json:"unreadable_vm,omitempty"`
	Foreign    int    `json:"foreign_vm_pid,omitempty"`

	// CreateUnfinished reports that docker-machine create has not finished the machine; Lacks is what
	// it lacks, Creator a docker-machine that runs and may be about it.
	CreateUnfinished bool     `json:"create_unfinished,omitempty"`
	Lacks            []string `json:"lacks,omitempty"`
	Creator          int      `json:"docker_machine_pid,omitempty"`
	// DockerMachine reports that docker-machine is installed.
	DockerMachine bool `json:"docker_machine,omitempty"`

	// OldAdapter reports that the VM is on a host-only adapter, which this
	// VirtualBox has no more; Slot is that NIC, Networks are the host-only networks that there
	// are, Laptop the address that the laptop needs on one. NoNetworks reports that
	// VirtualBox did not list them.
	OldAdapter bool               `json:"old_adapter"`
	Slot       int                `json:"slot,omitempty"`
	Networks   []vbox.HostOnlyNet `json:"networks,omitempty"`
	NoNetworks bool               `json:"networks_unknown,omitempty"`
	Laptop     netip.Prefix       `json:"laptop,omitzero"`
	// Refused is the laptop's host-only address where VirtualBox does not allow
	// it, Allow the line of networks.conf that would.
	Refused netip.Prefix           `json:"refused,omitzero"`
	Allow   installation.Allowance `json:"allow,omitzero"`
	// Kept reports that the adapter has the address from before: it is refused next time.
	Kept bool `json:"address_kept,omitempty"`
	// Now is the docker host's own address where it is another than Known, config.json's.
	Now   netip.Addr `json:"address_now,omitzero"`
	Known netip.Addr `json:"address_known,omitzero"`
	// NATAddress reports that Known is an address of VirtualBox's NAT.
	NATAddress bool `json:"nat_address,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "machine", Foundation: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{
		Name: t.Machine.Name, Driver: t.Machine.Driver, VirtualBox: t.Machine.VirtualBox(),
	}
	if t.LoadErr != nil {
		s.ConfigErr = t.LoadErr.Error()
		return s, nil
	}
	s.CustomInstall = t.Machine.CustomInstall
	if !s.VirtualBox || s.CustomInstall {
		return s, nil
	}
	vm, err := t.VM.Info(ctx)
	switch {
	case errors.Is(err, virtualbox.ErrNotInstalled):
		s.NoVBoxManage, s.AppleSilicon = true, laptop.AppleSilicon(ctx, t.Laptop)
		_, s.Proven = t.Endpoints.VerifiedRecord(ctx)
		return s, nil
	case t.Machine.CreateUnfinished:
		s.createUnfinished(ctx, t, vm, err)
		return s, nil
	case vbox.KindOf(err) == vbox.NotFound:
		s.Missing = true
		s.search(ctx, t)
		return s, nil
	case vbox.KindOf(err) == vbox.KernelDriver:
		s.NoDriver = true
		return s, nil
	case err != nil:
		return nil, err
	}
	s.VM, s.UUID = vm.State, vm.UUID
	if vm.State == vbox.Running {
		if s.NATAddress = t.VM.NATAddress(ctx); s.NATAddress || t.VM.AddressMoved(ctx) {
			s.Now, s.Known = t.VM.GuestAddr(ctx), t.HostOnlyAddr()
		}
		if t.Mode.IsRepair() {
			return s, nil // the rest is advice
		}
	}
	s.virtualBox(ctx, t, vm)
	return s, nil
}

// has reports whether an interface of the laptop has an address.
func has(ctx context.Context, t *target.Target, addr netip.Prefix) bool {
	links, err := t.Laptop.Links(ctx)
	return err == nil && slices.ContainsFunc(links, func(l host.Link) bool { return slices.Contains(l.Addrs, addr) })
}

// createUnfinished looks for what the machine lacks, and for a docker-machine that may still be
// creating it.
func (s *State) createUnfinished(ctx context.Context, t *target.Target, vm vbox.VM, err error) {
	s.CreateUnfinished, s.VM, s.UUID = true, vm.State, vm.UUID
	s.DockerMachine = dockermachine.Found(t.Laptop)
	s.Lacks = []string{"config.json has no address and no SSH port", "there is no server certificate"}
	_, hostOnly := vm.HostOnlyNIC()
	_, ssh := virtualbox.SSHRule(vm)
	for _, lack := range []struct {
		is   bool
		text string
	}{
		{vbox.KindOf(err) == vbox.NotFound, "VirtualBox has no VM of that name"},
		{err == nil && !hostOnly, "the VM has no host-only adapter"},
		{err == nil && !ssh, "VirtualBox has no NAT rule for SSH"},
	} {
		if lack.is {
			s.Lacks = append(s.Lacks, lack.text)
		}
	}
	procs, _ := t.Laptop.Processes(ctx)
	for _, p := range procs {
		if p.Name == "docker-machine" && !p.Foreign {
			s.Creator = p.PID
		}
	}
}

// search looks for what became of a VM that VirtualBox does not know.
func (s *State) search(ctx context.Context, t *target.Target) {
	s.Settings = t.VM.SettingsFile(ctx)
	refs, err := t.VirtualBox.VMs(ctx)
	if err != nil {
		return
	}
	record, _ := t.Endpoints.Record(ctx)
	for _, r := range refs {
		if r.Inaccessible() && (s.Unreadable == "" || r.UUID == record.VMUUID) {
			s.Unreadable = r.UUID
		}
	}
	if s.Settings == "" {
		return // no VM process can be this machine's
	}
	procs, err := t.Laptop.Processes(ctx)
	if err != nil {
		return
	}
	for _, p := range procs {
		if p.Foreign && (p.Name == "VBoxHeadless" || p.Name == "VirtualBoxVM") {
			s.Foreign = p.PID
		}
	}
}

// virtualBox looks at what this VirtualBox would refuse, now or at the VM's next start.
func (s *State) virtualBox(ctx context.Context, t *target.Target, vm vbox.VM) {
	v, err := t.VirtualBox.Version(ctx)
	if err != nil {
		return // where even this fails, the finding about VBoxManage is enough
	}
	s.Version = v.String()
	if vm.State != vbox.Running && v.AtLeast(7, 0, 0) {
		if s.AppleSilicon = laptop.AppleSilicon(ctx, t.Laptop); s.AppleSilicon {
			return
		}
	}
	nic, onAdapter := vm.HostOnlyNIC()
	onAdapter = onAdapter && nic.Attachment == "hostonly"
	if onAdapter && t.Laptop.OS() == host.Darwin && v.AtLeast(7, 0, 0) {
		s.OldAdapter, s.Slot = true, nic.Slot
		if s.Laptop = t.VM.LaptopAddr(); vm.State != vbox.Running {
			s.Networks, err = t.VirtualBox.HostOnlyNets(ctx)
			s.NoNetworks = err != nil
		}
	}
	if onAdapter && !s.OldAdapter {
		addr := t.VM.LaptopAddr()
		if allow, forbidden := t.VirtualBox.Forbids(ctx, addr); forbidden {
			s.Refused, s.Allow, s.Kept = addr, allow, has(ctx, t, addr)
		}
	}
	if vm.State == vbox.Running {
		return
	}
	if s.NoDriver, err = t.VirtualBox.ModulesUnloaded(ctx); err != nil || !s.NoDriver {
		return
	}
	if m, err := t.VirtualBox.Modules(ctx); err == nil {
		s.NoModules = m.NoRestart
	}
	if addr := t.VM.LaptopAddr(); onAdapter && nic.HostOnly != "" && addr.IsValid() {
		s.Adapters = []vmchange.HostOnly{{Name: nic.HostOnly, Addr: addr}}
	}
}

func (s State) Changes() []engine.Change {
	if !s.VirtualBox || s.Missing || s.CreateUnfinished || s.ConfigErr != "" || s.VM == vbox.Running || !s.VM.Startable() ||
		s.OldAdapter || s.AppleSilicon || s.NoDriver && s.NoModules != "" {
		return nil
	}
	start := &vmchange.StartVM{Machine: s.Name, From: s.VM}
	if s.NoDriver {
		return []engine.Change{&vmchange.RestartModules{Adapters: s.Adapters}, start}
	}
	return []engine.Change{start}
}
