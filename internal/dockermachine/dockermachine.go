// Package dockermachine creates machines with docker-machine's own command, since nothing else can,
// and checks beforehand what that requires.
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

// CLI runs docker-machine on the laptop, for one store.
type CLI struct {
	laptop     host.Laptop
	store      *store.Store
	virtualBox *virtualbox.Manager
	network    *laptop.Network
	notify     func(format string, args ...any)
}

// New returns the CLI for a store. It calls notify with each command that it runs.
func New(h host.Laptop, s *store.Store, v *virtualbox.Manager, n *laptop.Network, notify func(format string, args ...any)) *CLI {
	return &CLI{laptop: h, store: s, virtualBox: v, network: n, notify: notify}
}

// DefaultNetwork returns the host-only network of the machines that docker-machine creates:
// 192.168.99.1/24. VirtualBox assigns its addresses from 192.168.99.100 on (docker/machine
// b170508b, drivers/virtualbox/virtualbox.go).
func DefaultNetwork() laptop.Destination {
	return laptop.Destination{Addr: netip.MustParseAddr("192.168.99.100"), Laptop: netip.MustParsePrefix("192.168.99.1/24")}
}

// Planned returns a machine as docker-machine would create it.
func Planned(name, storeDir string) store.Machine {
	net := DefaultNetwork()
	return store.Machine{
		Name: name, VMName: name, Driver: "virtualbox", StoreDir: storeDir, Dir: filepath.Join(storeDir, "machines", name),
		IP: net.Addr, HostOnlyCIDR: net.Laptop, EnginePort: store.DefaultDaemonPort,
	}
}

// Plan is what must be repaired before a machine can be created.
type Plan struct {
	Modules bool // the kernel modules are not loaded
	Route   bool // the route to the host-only network is lost
}

// Check finds out what must be repaired before the machine can be created. If the user must act
// first, the error is a *useraction.Required. It changes nothing. again is the command to run
// again.
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

// Create makes docker-machine create the machine. It copies docker-machine's output to out while it
// runs.
func (c *CLI) Create(ctx context.Context, name string, out io.Writer) error {
	cmd, err := c.command(out, "create", "-d", "virtualbox", name)
	if err != nil {
		return err
	}
	c.notify("[%s] running %s", name, shell.Command(cmd.Argv...))
	_, err = c.laptop.Run(ctx, cmd)
	var failed *host.CmdError
	if errors.As(err, &failed) { // the user has already seen its output
		err = fmt.Errorf("docker-machine create -d virtualbox %s: exit status %d", name, failed.Exit)
	}
	return err
}

// Remove removes what an unfinished creation left in the store and in VirtualBox, if anything.
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
	c.notify("[%s] rolling back: running %s", name, shell.Command(cmd.Argv...))
	_, err = c.laptop.Run(ctx, cmd)
	return err
}

// checkVirtualBox returns an error if docker-machine cannot create machines with this VirtualBox on
// this laptop.
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

// checkAddress returns an error if VirtualBox does not allow the laptop's address in the new
// machine's network.
func (c *CLI) checkAddress(ctx context.Context) error {
	addr := DefaultNetwork().Laptop
	allow, forbidden := c.virtualBox.Forbids(ctx, addr)
	if !forbidden {
		return nil
	}
	number, _ := c.virtualBox.Version(ctx) // it is remembered
	return &useraction.Required{Text: fmt.Sprintf("VirtualBox %s refuses %s on a host-only adapter: %s does not allow it", number, addr, installation.NetworksConfPath),
		Hint: allow.Hint()}
}

// checkName returns an error if VirtualBox already has a VM with the machine's name. That VM is not
// ours, and Remove would delete it after a failed creation.
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

// command returns a command of docker-machine. It names the store, because the environment may name
// another one.
func (c *CLI) command(out io.Writer, args ...string) (host.Cmd, error) {
	path, err := path(c.laptop)
	return host.Cmd{Argv: append([]string{path}, args...), Env: []string{"MACHINE_STORAGE_PATH=" + c.store.Dir()}, Stream: out}, err
}

func path(h host.Laptop) (string, error) {
	_, path, err := find(h)
	return path, err
}

// find returns the name and path of docker-machine or, if there is none, of rancher-machine:
// Rancher's fork has the same commands under its own name. GitLab's fork is called docker-machine.
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

// Program returns the name of docker-machine's command on this laptop.
func Program(h host.Laptop) string {
	name, _, _ := find(h)
	return name
}

// NotInstalled returns the message that docker-machine is not installed.
func NotInstalled(os string) string {
	text := "docker-machine is not installed"
	if os == host.Darwin {
		text += " (deprecated in Homebrew since July 2026; its maintained fork is rancher-machine)"
	}
	return text
}

// InstallHint returns the command that installs docker-machine's last release.
func InstallHint(os string) hint.Hint {
	if os == host.Darwin {
		return hint.Run("brew", "install", "docker-machine")
	}
	const file = "/usr/local/bin/docker-machine"
	return hint.Run("sudo", "curl", "-fLo", file, "https://github.com/docker/machine/releases/download/v0.16.2/docker-machine-Linux-x86_64").
		Then("&&", hint.Run("sudo", "chmod", "755", file))
}

// Found reports whether the laptop has docker-machine's command.
func Found(h host.Laptop) bool {
	_, err := path(h)
	return err == nil
}
