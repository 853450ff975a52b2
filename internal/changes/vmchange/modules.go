package vmchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

const (
	// closeTime is how long VirtualBox's processes may take to end after their VMs were saved.
	closeTime = 20 * time.Second
	// serverTime is how long VBoxSVC may take to end after the last program disconnected from it.
	// It waits five seconds itself.
	serverTime = 8 * time.Second
	// wakeTime is how long a resumed VM may take until it answers again.
	wakeTime = 30 * time.Second
)

// RestartModules restarts VirtualBox's kernel modules. It is the last resort, since all VMs of all
// users must be stopped for it.
type RestartModules struct {
	// Adapters are the host-only adapters that get their addresses again afterwards. Backup adds
	// those that VirtualBox has.
	Adapters []HostOnly `json:",omitempty"`
	// Again is the command that the user can run to allow VMs to be saved. If it is empty, that is
	// fix --stop-vms.
	Again string `json:",omitempty"`

	// Backup sets the fields from here on.
	Steps [][]string           `json:",omitempty"` // the commands that restart the modules
	Saved []virtualbox.SavedVM `json:",omitempty"` // the VMs to save and to resume
	// Resumed means that Apply has resumed all of them.
	Resumed bool `json:",omitempty"`

	answeredBefore bool // dockerd answered before the restart
}

// HostOnly is a host-only adapter with the laptop's address on it.
type HostOnly struct {
	Name string
	Addr netip.Prefix
}

func (c *RestartModules) About() engine.About {
	doing := "restarting VirtualBox's kernel modules"
	if len(c.Saved) > 0 {
		var names []string
		for _, vm := range c.Saved {
			names = append(names, vm.Name)
		}
		doing = "saving " + strings.Join(names, ", ") + ", and " + doing
	}
	// There is no Risk: the user allows VMs to be saved with a flag.
	return engine.About{Kind: "restart-modules", Doing: doing}
}

func (c *RestartModules) String() string { return "restart VirtualBox's kernel modules" }

// Backup returns an error if Apply could not finish, before anything is changed: a
// *useraction.Required if VMs must be saved and that is not allowed, a *host.SudoError if root's
// rights are missing. It does not check for VPNs: this change is only planned if no VPN is in the
// way.
func (c *RestartModules) Backup(ctx context.Context, t *target.Target) error {
	m, err := t.VirtualBox.Modules(ctx)
	if err != nil {
		return err
	}
	running, err := t.VirtualBox.RunningVMs(ctx)
	if err != nil {
		return err
	}
	again := t.Hint(hint.Fix("--stop-vms"))
	if c.Again != "" {
		again = hint.Shell(c.Again)
	}
	save, err := m.MayRestart(running, t.StopVMs, again)
	if err != nil {
		return err
	}
	c.Steps = m.Steps
	if t.VM != nil {
		_, c.answeredBefore = t.Endpoints.VerifiedRecord(ctx)
	}
	for _, a := range t.VirtualBox.HostOnlyIfs(ctx) {
		if a.Addr.IsValid() && !slices.ContainsFunc(c.Adapters, func(b HostOnly) bool { return b.Name == a.Name }) {
			c.Adapters = append(c.Adapters, HostOnly{Name: a.Name, Addr: a.Addr})
		}
	}
	// VirtualBox gives a new adapter the lowest free name, so they are recreated in this order.
	slices.SortFunc(c.Adapters, func(a, b HostOnly) int { return cmp.Or(len(a.Name)-len(b.Name), strings.Compare(a.Name, b.Name)) })
	for _, ref := range save {
		vm, err := t.VirtualBox.LookUpRef(ctx, ref)
		if err != nil {
			return fmt.Errorf("looking at VM %s: %w", ref.Name, err)
		}
		if vm.State != vbox.Running && vm.State != vbox.Paused {
			return &useraction.Required{Text: fmt.Sprintf("VM %s is %s and cannot be saved", ref.Name, vm.State)}
		}
		c.Saved = append(c.Saved, virtualbox.SavedVM{Name: ref.Name, UUID: ref.UUID, Paused: vm.State == vbox.Paused})
	}
	if len(c.Saved) > 0 {
		// Check that root's rights are available before any VM is saved.
		_, err = t.Laptop.Run(ctx, host.Cmd{Argv: []string{"true"}, Root: true})
	}
	return err
}

func (c *RestartModules) Apply(ctx context.Context, t *target.Target) error {
	for _, vm := range c.Saved {
		t.Notify("saving VM %s", vm.Name)
		if _, err := t.VirtualBox.Run(ctx, vbox.ControlVM(vm.UUID, "savestate")); err != nil {
			return fmt.Errorf("saving VM %s: %w", vm.Name, err)
		}
	}
	t.Forget()
	if err := c.awaitClosed(ctx, t); err != nil {
		return err
	}
	var failed error
	for _, argv := range c.Steps {
		if _, failed = t.Laptop.Run(ctx, host.Cmd{Argv: argv, Root: true}); failed != nil {
			break
		}
	}
	if errors.Is(failed, host.ErrNoSudo) {
		return failed
	}
	if m, err := t.VirtualBox.Modules(ctx); err == nil && m.Blocked {
		required := &useraction.Required{Text: "macOS does not load VirtualBox's kernel extensions, /dev/" + installation.NetCtlDevice + " is still missing: allow them in Privacy & Security, and reboot",
			Hint: hint.Explain("machine.driver-not-loaded")}
		if installation.KextsUnsupported(failed) {
			required.Text = fmt.Sprintf("this macOS loads no kernel extensions of VirtualBox %s, which is too old for it: install VirtualBox 7", m.Version)
		}
		return required
	}
	if failed != nil {
		return fmt.Errorf("restarting VirtualBox's kernel modules: %w", failed)
	}
	if err := c.awaitServer(ctx, t); err != nil {
		return err
	}
	for _, a := range c.Adapters {
		// A new adapter has no address. If VirtualBox refuses to set it, the inspection after this
		// change reports that.
		if err := t.VirtualBox.SetAddress(ctx, a.Name, a.Addr); err != nil {
			t.Notify("%v", err)
		}
	}
	if err := c.resume(ctx, t); err != nil {
		return err
	}
	c.Resumed = true
	return nil
}

// awaitClosed waits until no process uses the modules any more.
func (c *RestartModules) awaitClosed(ctx context.Context, t *target.Target) error {
	if len(c.Saved) == 0 {
		return nil
	}
	for deadline := t.Now().Add(closeTime); ; {
		m, err := t.VirtualBox.Modules(ctx)
		if err != nil {
			return err
		}
		open := 0
		for _, p := range m.Users {
			if installation.HoldsModules(p.Name, m.Version) {
				open++
			}
		}
		if open == 0 {
			return nil
		}
		if t.Now().After(deadline) {
			_, err := m.MayRestart(nil, false, nil)
			return fmt.Errorf("all VMs are saved, and the kernel modules are still in use after %s: %w", closeTime, err)
		}
		if err := host.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// awaitServer waits until VBoxSVC has ended. VBoxSVC only creates the host-only adapters when it
// starts, so those that disappeared with the kernel modules come back with the next VBoxSVC
// (Host::init in HostImpl.cpp). If something, such as VirtualBox's window, keeps it alive,
// SetAddress creates them.
func (c *RestartModules) awaitServer(ctx context.Context, t *target.Target) error {
	for deadline := t.Now().Add(serverTime); t.Now().Before(deadline); {
		all, err := t.Laptop.Processes(ctx)
		if err != nil || !slices.ContainsFunc(all, func(p host.Process) bool { return p.Name == installation.Server && !p.Foreign }) {
			return err
		}
		if err := host.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// resume resumes those of the saved VMs that are still saved, so it may be called again. It waits
// until the machine's own VM answers.
func (c *RestartModules) resume(ctx context.Context, t *target.Target) error {
	own := false // the machine's own VM was resumed
	var failed []error
	for _, saved := range c.Saved {
		resumed, err := t.VirtualBox.Resume(ctx, saved, t.Notify)
		if err != nil {
			failed = append(failed, err)
		}
		own = own || resumed && t.VM != nil && saved.Name == t.Machine.VMName && !saved.Paused
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	t.Forget()
	if t.SSH != nil { // it is nil for the command "modules restart", which is about no machine
		t.SSH.Drop() // a connection does not survive that its VM was saved
	}
	for deadline := t.Now().Add(wakeTime); own && !c.awake(ctx, t) && t.Now().Before(deadline); t.Forget() {
		if err := host.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// awake reports whether the machine is back: sshd answers, and so does dockerd if it did before.
func (c *RestartModules) awake(ctx context.Context, t *target.Target) bool {
	if greets, _ := t.SSH.Greets(ctx); !greets {
		return false
	}
	_, ok := t.Endpoints.VerifiedRecord(ctx)
	return ok || !c.answeredBefore
}

// Revert resumes the VMs that are still saved. For the modules there is nothing to revert.
func (c *RestartModules) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	if c.Resumed {
		return nil, nil
	}
	return nil, c.resume(ctx, t)
}
