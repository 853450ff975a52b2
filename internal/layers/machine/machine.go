// Package machine is the first layer: the machine's entry in the store, and the state of its VM.
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

	// CustomInstall means that the user's own script replaced the installation of docker.
	CustomInstall bool `json:"custom_install,omitempty"`

	// NoVBoxManage means that VirtualBox is not installed. Verified means that dockerd of this machine
	// answers nevertheless.
	NoVBoxManage bool `json:"no_vboxmanage"`
	Verified     bool `json:"proven"`
	AppleSilicon bool `json:"apple_silicon"`
	// NoDriver means that VirtualBox's kernel modules are not loaded. NoModules is why they cannot
	// be restarted, or "".
	NoDriver  bool   `json:"no_driver"`
	NoModules string `json:"no_modules,omitempty"`
	// Adapters is the VM's host-only adapter, to be restored after a restart of the kernel modules.
	Adapters []vmchange.HostOnly `json:"-"`

	// Missing means that VirtualBox does not know the VM. The next three are what was found instead,
	// or zero.
	Missing    bool   `json:"missing"`
	Settings   string `json:"settings_file,omitempty"`  // the settings file that docker-machine made
	Unreadable string `json:"unreadable_vm,omitempty"`  // UUID of a VM whose settings VirtualBox cannot read
	Foreign    int    `json:"foreign_vm_pid,omitempty"` // a VM process of another user

	// CreateUnfinished means that docker-machine create did not finish the machine. Lacks is what
	// the machine lacks, Creator the PID of a docker-machine that may still be creating it, or 0.
	CreateUnfinished bool     `json:"create_unfinished,omitempty"`
	Lacks            []string `json:"lacks,omitempty"`
	Creator          int      `json:"docker_machine_pid,omitempty"`
	// DockerMachine means that docker-machine is installed. It is set only with CreateUnfinished.
	DockerMachine bool `json:"docker_machine,omitempty"`

	// OldAdapter means that the VM is on a host-only adapter, which this VirtualBox no longer has.
	// Slot is the number of that network adapter of the VM, Networks are the existing host-only
	// networks (NoNetworks: not known), and Laptop is the address that the laptop needs on one.
	OldAdapter bool               `json:"old_adapter"`
	Slot       int                `json:"slot,omitempty"`
	Networks   []vbox.HostOnlyNet `json:"networks,omitempty"`
	NoNetworks bool               `json:"networks_unknown,omitempty"`
	Laptop     netip.Prefix       `json:"laptop,omitzero"`
	// Refused is the laptop's host-only address if VirtualBox does not allow it; Allow is the line
	// of networks.conf that would allow it.
	Refused netip.Prefix           `json:"refused,omitzero"`
	Allow   installation.Allowance `json:"allow,omitzero"`
	// Kept means that the adapter still has that address: it will be refused the next time.
	Kept bool `json:"address_kept,omitempty"`
	// Now is the docker host's current address if it is not Known, the one in config.json.
	Now   netip.Addr `json:"address_now,omitzero"`
	Known netip.Addr `json:"address_known,omitzero"`
	// NATAddress means that Known is an address of VirtualBox's NAT.
	NATAddress bool `json:"nat_address,omitempty"`
}

// Layer returns the layer for the engine.
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
		_, s.Verified = t.Endpoints.VerifiedRecord(ctx)
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
			return s, nil // the rest is only advice
		}
	}
	s.virtualBox(ctx, t, vm)
	return s, nil
}

// hasAddress reports whether a network interface of the laptop has an address.
func hasAddress(ctx context.Context, t *target.Target, addr netip.Prefix) bool {
	links, err := t.Laptop.Links(ctx)
	return err == nil && slices.ContainsFunc(links, func(l host.Link) bool { return slices.Contains(l.Addrs, addr) })
}

// createUnfinished finds out what the machine lacks, and whether a docker-machine may still be
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

// search looks for a VM that VirtualBox does not know: its settings file, its process, and VMs that
// VirtualBox cannot read.
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

// virtualBox finds out what this VirtualBox would refuse, now or when the VM starts next.
func (s *State) virtualBox(ctx context.Context, t *target.Target, vm vbox.VM) {
	v, err := t.VirtualBox.Version(ctx)
	if err != nil {
		return // the finding about VBoxManage covers this
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
			s.Refused, s.Allow, s.Kept = addr, allow, hasAddress(ctx, t, addr)
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
