// Package machine is the first layer: the store's entry and the state of the VM.
package machine

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
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
	Adapters []changes.HostOnly `json:"-"`

	// Missing reports that VirtualBox does not know the VM; Settings is its settings
	// file if that is where docker-machine puts it, Unreadable the UUID of a VM
	// whose settings VirtualBox cannot read, Foreign another user's VM process.
	Missing    bool   `json:"missing"`
	Settings   string `json:"settings_file,omitempty"`
	Unreadable string `json:"unreadable_vm,omitempty"`
	Foreign    int    `json:"foreign_vm_pid,omitempty"`

	// Unfinished reports that docker-machine create has not finished the machine; Lacks is what
	// it lacks, Creator a docker-machine that runs and may be about it.
	Unfinished bool     `json:"create_unfinished,omitempty"`
	Lacks      []string `json:"lacks,omitempty"`
	Creator    int      `json:"docker_machine_pid,omitempty"`
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
	// HostOnlyNetwork reports that the VM is on a host-only network, not an adapter.
	HostOnlyNetwork bool `json:"on_host_only_network,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "machine", Ground: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	s := State{
		Name: w.Machine.Name, Driver: w.Machine.Driver, VirtualBox: w.Machine.VirtualBox(),
	}
	if w.LoadErr != nil {
		s.ConfigErr = w.LoadErr.Error()
		return s, nil
	}
	s.CustomInstall = w.Machine.CustomInstall
	if !s.VirtualBox || s.CustomInstall {
		return s, nil
	}
	vm, err := w.VM.Info(ctx)
	var complaint *vbox.Error
	switch {
	case errors.Is(err, virtualbox.ErrNotInstalled):
		s.NoVBoxManage, s.AppleSilicon = true, laptop.AppleSilicon(ctx, w.Laptop)
		_, s.Proven = w.Endpoints.VerifiedRecord(ctx)
		return s, nil
	case w.Machine.Unfinished:
		s.unfinished(ctx, w, vm, err)
		return s, nil
	case errors.As(err, &complaint) && complaint.Kind == vbox.NotFound:
		s.Missing = true
		s.search(ctx, w)
		return s, nil
	case errors.As(err, &complaint) && complaint.Kind == vbox.KernelDriver:
		s.NoDriver = true
		return s, nil
	case err != nil:
		return nil, err
	}
	s.VM, s.UUID = vm.State, vm.UUID
	if vm.State == vbox.Running {
		if s.NATAddress = w.VM.NATAddress(ctx); s.NATAddress || w.VM.AddressMoved(ctx) {
			s.Now, s.Known = w.VM.GuestAddr(ctx), w.HostOnly()
		}
		s.HostOnlyNetwork = w.VM.OnHostOnlyNetwork(ctx)
		if w.Mode.IsRepair() {
			return s, nil // the rest is advice
		}
	}
	s.virtualBox(ctx, w, vm)
	return s, nil
}

// has reports whether an interface of the laptop has an address.
func has(ctx context.Context, w *target.Target, addr netip.Prefix) bool {
	links, err := w.Laptop.Links(ctx)
	return err == nil && slices.ContainsFunc(links, func(l host.Link) bool { return slices.Contains(l.Addrs, addr) })
}

// unfinished looks for what the machine lacks, and for a docker-machine that may still be
// creating it.
func (s *State) unfinished(ctx context.Context, w *target.Target, vm vbox.VM, err error) {
	s.Unfinished, s.VM, s.UUID = true, vm.State, vm.UUID
	s.DockerMachine = dockermachine.Found(w.Laptop)
	s.Lacks = []string{"config.json has no address and no SSH port", "there is no server certificate"}
	var complaint *vbox.Error
	_, hostOnly := vm.HostOnlyNIC()
	_, ssh := virtualbox.SSHRule(vm)
	for _, lack := range []struct {
		is   bool
		text string
	}{
		{errors.As(err, &complaint) && complaint.Kind == vbox.NotFound, "VirtualBox has no VM of that name"},
		{err == nil && !hostOnly, "the VM has no host-only adapter"},
		{err == nil && !ssh, "VirtualBox has no NAT rule for SSH"},
	} {
		if lack.is {
			s.Lacks = append(s.Lacks, lack.text)
		}
	}
	procs, _ := w.Laptop.Processes(ctx)
	for _, p := range procs {
		if p.Name == "docker-machine" && !p.Foreign {
			s.Creator = p.PID
		}
	}
}

// search looks for what became of a VM that VirtualBox does not know.
func (s *State) search(ctx context.Context, w *target.Target) {
	s.Settings = w.VM.SettingsFile(ctx)
	refs, err := w.VirtualBox.VMs(ctx)
	if err != nil {
		return
	}
	record, _ := w.Endpoints.Record(ctx)
	for _, r := range refs {
		if r.Inaccessible() && (s.Unreadable == "" || r.UUID == record.VMUUID) {
			s.Unreadable = r.UUID
		}
	}
	if s.Settings == "" {
		return // no VM process can be this machine's
	}
	procs, err := w.Laptop.Processes(ctx)
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
func (s *State) virtualBox(ctx context.Context, w *target.Target, vm vbox.VM) {
	v, err := w.VirtualBox.Version(ctx)
	if err != nil {
		return // a VBoxManage that cannot say its version has said all else
	}
	s.Version = v.String()
	if vm.State != vbox.Running && v.AtLeast(7, 0, 0) {
		if s.AppleSilicon = laptop.AppleSilicon(ctx, w.Laptop); s.AppleSilicon {
			return
		}
	}
	nic, onAdapter := vm.HostOnlyNIC()
	onAdapter = onAdapter && nic.Attachment == "hostonly"
	if onAdapter && w.Laptop.OS() == host.Darwin && v.AtLeast(7, 0, 0) {
		s.OldAdapter, s.Slot = true, nic.Slot
		if s.Laptop = w.VM.LaptopAddr(); vm.State != vbox.Running {
			s.Networks, err = w.VirtualBox.HostOnlyNets(ctx)
			s.NoNetworks = err != nil
		}
	}
	if onAdapter && !s.OldAdapter {
		addr := w.VM.LaptopAddr()
		if allow, forbidden := w.VirtualBox.Forbids(ctx, addr); forbidden {
			s.Refused, s.Allow, s.Kept = addr, allow, has(ctx, w, addr)
		}
	}
	if vm.State == vbox.Running {
		return
	}
	if s.NoDriver, err = w.VirtualBox.ModulesUnloaded(ctx); err != nil || !s.NoDriver {
		return
	}
	if m, err := w.VirtualBox.Modules(ctx); err == nil {
		s.NoModules = m.NoRestart
	}
	if addr := w.VM.LaptopAddr(); onAdapter && nic.HostOnly != "" && addr.IsValid() {
		s.Adapters = []changes.HostOnly{{Name: nic.HostOnly, Addr: addr}}
	}
}

func (s State) Changes() []engine.Change {
	if !s.VirtualBox || s.Missing || s.Unfinished || s.ConfigErr != "" || s.VM == vbox.Running || !changes.Startable(s.VM) ||
		s.OldAdapter || s.AppleSilicon || s.NoDriver && s.NoModules != "" {
		return nil
	}
	start := &changes.StartVM{Machine: s.Name, From: s.VM}
	if s.NoDriver {
		return []engine.Change{&changes.RestartModules{Adapters: s.Adapters}, start}
	}
	return []engine.Change{start}
}
