package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// ToBe is a machine as docker-machine would create it: its host-only network is
// 192.168.99.1/24, from whose 100 on VirtualBox gives out addresses
// (docker/machine b170508b, drivers/virtualbox/virtualbox.go).
func ToBe(name, storeDir string) store.Machine {
	return store.Machine{
		Name: name, VMName: name, Driver: "virtualbox", StoreDir: storeDir, Dir: filepath.Join(storeDir, "machines", name),
		IP: netip.MustParseAddr("192.168.99.100"), HostOnlyCIDR: netip.MustParsePrefix("192.168.99.1/24"), EnginePort: store.DefaultEnginePort,
	}
}

// CreatePlan is what creating a machine takes beside docker-machine itself.
type CreatePlan struct {
	Route   bool // the host-only network's route is lost and has to be put back first
	Modules bool // the kernel modules are not loaded
}

// Creatable says what creating the machine takes, or what stands in the way of
// it: a *useraction.Required, with nothing touched. again is the command line to repeat.
func (w *World) Creatable(ctx context.Context, again string) (CreatePlan, error) {
	plan := CreatePlan{}
	if _, err := w.dockerMachine(); err != nil {
		return plan, &useraction.Required{Text: "docker-machine is not installed, and only it creates machines", Hint: "brew install docker-machine"}
	}
	v, err := w.VirtualBox.Version(ctx)
	if err != nil {
		return plan, err
	}
	if w.Laptop.OS() == host.Darwin && v.AtLeast(7, 0, 0) {
		if w.AppleSilicon(ctx) {
			return plan, &useraction.Required{Text: "this Mac has an Apple chip, on which VirtualBox runs no boot2docker", Hint: "brew install colima docker && colima start"}
		}
		return plan, &useraction.Required{Text: fmt.Sprintf("docker-machine creates no machine with VirtualBox %s on macOS: it needs host-only adapters, of which there are only networks now", v),
			Hint: "docker-vpn-helper explain machine.adapter-unsupported"}
	}
	vpn, err := w.VPNTakes(ctx)
	if err != nil {
		return plan, err
	}
	if vpn != nil {
		return plan, &useraction.Required{Text: fmt.Sprintf("%s: disconnect from the VPN and run again: %s", vpn.Text, again), Hint: again}
	}
	addr := w.VM.LaptopAddr()
	if line, forbidden := w.VirtualBox.Forbids(ctx, addr); forbidden {
		return plan, &useraction.Required{Text: fmt.Sprintf("VirtualBox %s refuses %s on a host-only adapter: %s does not allow it", v, addr, vbox.NetworksConfPath),
			Hint: "sudo mkdir -p /etc/vbox && echo " + shell.Quote(line) + " | sudo tee -a " + vbox.NetworksConfPath}
	}
	_, err = w.VM.Info(ctx)
	var complaint *vbox.Error
	switch {
	case err == nil:
		// Not one of ours, then: taking a failed creation back would delete it.
		return plan, &useraction.Required{Text: fmt.Sprintf("VirtualBox has a VM %q already, and the store has no machine of that name", w.Machine.VMName), Hint: "VBoxManage list vms"}
	case !errors.As(err, &complaint) || complaint.Kind != vbox.NotFound && complaint.Kind != vbox.KernelDriver:
		return plan, err
	}
	if plan.Modules, err = w.VirtualBox.ModulesUnloaded(ctx); err != nil {
		return plan, err
	}
	view, err := w.RouteView(ctx)
	if err != nil {
		return plan, err
	}
	verdict := routes.Judge(view).Verdict
	plan.Route = verdict == routes.Missing || verdict == routes.InterfaceDown
	return plan, nil
}

func (w *World) dockerMachine() (string, error) {
	return w.Laptop.LookPath("docker-machine", "/usr/local/bin/docker-machine", "/opt/homebrew/bin/docker-machine")
}

// createCommand is a command line of docker-machine's: args are
// what it is told to do with the machine. The store is named, so that it is this one
// whatever docker-machine's own environment says.
func (w *World) createCommand(out io.Writer, args ...string) (host.Cmd, error) {
	path, err := w.dockerMachine()
	return host.Cmd{Argv: append([]string{path}, args...), Env: []string{"MACHINE_STORAGE_PATH=" + w.Machine.StoreDir}, Stream: out}, err
}

// Create lets docker-machine create the machine. What it prints goes to out as it comes.
func (w *World) Create(ctx context.Context, out io.Writer) error {
	cmd, err := w.createCommand(out, "create", "-d", "virtualbox", w.Machine.Name)
	if err != nil {
		return err
	}
	w.Tell("[%s] running %s", w.Machine.Name, shell.Command(cmd.Argv...))
	_, err = w.Laptop.Run(ctx, cmd)
	var failed *host.CmdError
	if errors.As(err, &failed) { // what it had to say has been seen
		err = fmt.Errorf("docker-machine create -d virtualbox %s: exit status %d", w.Machine.Name, failed.Exit)
	}
	w.Forget()
	return err
}

// Abandon removes what an unfinished creation has left, in the store and in
// VirtualBox. It is right also if there is nothing.
func (w *World) Abandon(ctx context.Context, out io.Writer) error {
	_, err := w.Store.Load(ctx, w.Machine.Name)
	var none *store.NotFoundError
	if errors.As(err, &none) {
		return nil
	}
	cmd, err := w.createCommand(out, "rm", "-f", w.Machine.Name)
	if err != nil {
		return err
	}
	w.Tell("[%s] taking back: running %s", w.Machine.Name, shell.Command(cmd.Argv...))
	_, err = w.Laptop.Run(ctx, cmd)
	return err
}
