// Package dockermachine creates machines, which docker-machine's own command alone can
// do, and finds out beforehand what that takes.
package dockermachine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// CLI is docker-machine's command on a laptop, for one store.
type CLI struct {
	laptop     host.Laptop
	store      *store.Store
	virtualBox *virtualbox.Manager
	network    *laptop.Network
	tell       func(format string, args ...any)
}

// New is docker-machine for a store; tell is called with each command that is run.
func New(h host.Laptop, s *store.Store, v *virtualbox.Manager, n *laptop.Network, tell func(format string, args ...any)) *CLI {
	return &CLI{laptop: h, store: s, virtualBox: v, network: n, tell: tell}
}

// DefaultNetwork is the host-only network of the machines that docker-machine creates:
// 192.168.99.1/24, from whose 100 on VirtualBox gives out addresses (docker/machine
// b170508b, drivers/virtualbox/virtualbox.go).
func DefaultNetwork() laptop.Destination {
	return laptop.Destination{Addr: netip.MustParseAddr("192.168.99.100"), Laptop: netip.MustParsePrefix("192.168.99.1/24")}
}

// Planned is a machine as docker-machine would create it.
func Planned(name, storeDir string) store.Machine {
	net := DefaultNetwork()
	return store.Machine{
		Name: name, VMName: name, Driver: "virtualbox", StoreDir: storeDir, Dir: filepath.Join(storeDir, "machines", name),
		IP: net.Addr, HostOnlyCIDR: net.Laptop, EnginePort: store.DefaultDaemonPort,
	}
}

// Plan is what creating a machine takes beside docker-machine itself.
type Plan struct {
	Modules bool // the kernel modules are not loaded
	Route   bool // the host-only network's route is lost and has to be restored first
}

// Check finds out what creating a machine takes, or what stands in the way of it: a
// *useraction.Required. Nothing is changed. again is the command line to repeat.
func (c *CLI) Check(ctx context.Context, name string, again hint.Hint) (Plan, error) {
	plan := Plan{}
	if _, err := path(c.laptop); err != nil {
		return plan, &useraction.Required{Text: NotInstalled(c.laptop.OS()) + "; only it creates machines", Hint: InstallHint(c.laptop.OS())}
	}
	if err := c.checkVirtualBox(ctx); err != nil {
		return plan, err
	}
	vpn, err := c.network.VPNTakes(ctx, DefaultNetwork())
	if err != nil {
		return plan, err
	}
	if vpn != "" {
		return plan, &useraction.Required{Text: vpn + ": disconnect from the VPN and run again: " + again.String(), Hint: again}
	}
	if err := c.checkAddress(ctx); err != nil {
		return plan, err
	}
	if err := c.checkName(ctx, name); err != nil {
		return plan, err
	}
	if plan.Modules, err = c.virtualBox.ModulesUnloaded(ctx); err != nil {
		return plan, err
	}
	view, err := c.network.Route(ctx, DefaultNetwork())
	if err != nil {
		return plan, err
	}
	verdict := routes.Judge(view).Verdict
	plan.Route = verdict == routes.Missing || verdict == routes.InterfaceDown
	return plan, nil
}

// Create has docker-machine create the machine. What it prints goes to out as it comes.
func (c *CLI) Create(ctx context.Context, name string, out io.Writer) error {
	cmd, err := c.command(out, "create", "-d", "virtualbox", name)
	if err != nil {
		return err
	}
	c.tell("[%s] running %s", name, shell.Command(cmd.Argv...))
	_, err = c.laptop.Run(ctx, cmd)
	var failed *host.CmdError
	if errors.As(err, &failed) { // what it printed has been seen
		err = fmt.Errorf("docker-machine create -d virtualbox %s: exit status %d", name, failed.Exit)
	}
	return err
}

// Remove removes what an unfinished creation has left, in the store and in VirtualBox.
// It is right also if there is nothing.
func (c *CLI) Remove(ctx context.Context, name string, out io.Writer) error {
	_, err := c.store.Load(ctx, name)
	var none *store.NotFoundError
	if errors.As(err, &none) {
		return nil
	}
	cmd, err := c.command(out, "rm", "-f", name)
	if err != nil {
		return err
	}
	c.tell("[%s] rolling back: running %s", name, shell.Command(cmd.Argv...))
	_, err = c.laptop.Run(ctx, cmd)
	return err
}

// checkVirtualBox is nil if docker-machine knows how to create machines with this
// VirtualBox on this laptop.
func (c *CLI) checkVirtualBox(ctx context.Context) error {
	number, err := c.virtualBox.Version(ctx)
	switch {
	case err != nil:
		return err
	case c.laptop.OS() != host.Darwin || !number.AtLeast(7, 0, 0):
		return nil
	case laptop.AppleSilicon(ctx, c.laptop):
		return &useraction.Required{Text: "this Mac has an Apple chip, on which VirtualBox runs no boot2docker", Hint: hint.Shell("brew install colima docker && colima start")}
	}
	return &useraction.Required{Text: fmt.Sprintf("docker-machine creates no machine with VirtualBox %s on macOS: it needs host-only adapters, of which there are only networks now", number),
		Hint: hint.Explain("machine.adapter-unsupported")}
}

// checkAddress is nil if VirtualBox allows the laptop its address in the new machine's
// network.
func (c *CLI) checkAddress(ctx context.Context) error {
	addr := DefaultNetwork().Laptop
	allow, forbidden := c.virtualBox.Forbids(ctx, addr)
	if !forbidden {
		return nil
	}
	number, _ := c.virtualBox.Version(ctx) // known by now
	return &useraction.Required{Text: fmt.Sprintf("VirtualBox %s refuses %s on a host-only adapter: %s does not allow it", number, addr, installation.NetworksConfPath),
		Hint: allow.Hint()}
}

// checkName is nil if VirtualBox has no VM of the machine's name. One that it has is not
// ours: Remove would delete it after a creation that failed.
func (c *CLI) checkName(ctx context.Context, name string) error {
	_, err := c.virtualBox.LookUp(ctx, name)
	switch {
	case err == nil:
		return &useraction.Required{Text: fmt.Sprintf("VirtualBox has a VM %q already, and the store has no machine of that name", name), Hint: hint.VBoxManage("list", "vms")}
	case vbox.KindOf(err) == vbox.NotFound, vbox.KindOf(err) == vbox.KernelDriver:
		return nil
	}
	return err
}

// command is a command line of docker-machine's. It names the store, so that it is this
// one whatever the environment has.
func (c *CLI) command(out io.Writer, args ...string) (host.Cmd, error) {
	path, err := path(c.laptop)
	return host.Cmd{Argv: append([]string{path}, args...), Env: []string{"MACHINE_STORAGE_PATH=" + c.store.Dir()}, Stream: out}, err
}

func path(h host.Laptop) (string, error) {
	_, path, err := find(h)
	return path, err
}

// find looks for docker-machine, and where there is none for rancher-machine: Rancher's fork,
// which has the same commands under a name of its own. GitLab's keeps the name.
func find(h host.Laptop) (name, path string, err error) {
	for _, name := range []string{"docker-machine", "rancher-machine"} {
		path, lookErr := h.LookPath(name, "/usr/local/bin/"+name, "/opt/homebrew/bin/"+name)
		if lookErr == nil {
			return name, path, nil
		}
		if err == nil {
			err = lookErr
		}
	}
	return "docker-machine", "", err
}

// Program is what docker-machine's command is called on a laptop.
func Program(h host.Laptop) string {
	name, _, _ := find(h)
	return name
}

// NotInstalled is the message where a laptop has no docker-machine.
func NotInstalled(os string) string {
	text := "docker-machine is not installed"
	if os == host.Darwin {
		text += " (deprecated in Homebrew since July 2026; its maintained fork is rancher-machine)"
	}
	return text
}

// InstallHint is the command line that installs docker-machine's last release.
func InstallHint(os string) hint.Hint {
	if os == host.Darwin {
		return hint.Run("brew", "install", "docker-machine")
	}
	const file = "/usr/local/bin/docker-machine"
	return hint.Run("sudo", "curl", "-fLo", file, "https://github.com/docker/machine/releases/download/v0.16.2/docker-machine-Linux-x86_64").
		Then("&&", hint.Run("sudo", "chmod", "755", file))
}

// Found reports whether a laptop has docker-machine's command.
func Found(h host.Laptop) bool {
	_, err := path(h)
	return err == nil
}
