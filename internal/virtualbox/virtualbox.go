// Package virtualbox asks and changes the laptop's VirtualBox through its command VBoxManage.
// Manager is VirtualBox itself, Machine the VM of one machine of the store.
package virtualbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

// ErrNotInstalled means that the laptop has no VBoxManage.
var ErrNotInstalled = errors.New("VirtualBox is not installed, or VBoxManage is not in PATH")

const (
	// If VBoxSVC hangs, VBoxManage never ends. A diagnosis, which has 5 s in all, waits for
	// diagnosisTime. A repair also waits until a VBoxSVC that is not running has started.
	diagnosisTime = 4 * time.Second
	repairTime    = 30 * time.Second
	// memoryTime is for commands that write a VM's memory to disk or read it from disk.
	memoryTime = 10 * time.Minute
	// While VirtualBox reports that an object is not ready, the command is repeated for retryTime.
	retryTime  = 5 * time.Second
	retryPause = 200 * time.Millisecond
)

// Manager is the laptop's VirtualBox.
type Manager struct {
	laptop     host.Laptop
	repairing  func() bool // VBoxManage may take longer
	version    memo.Of[version]
	prefetched *prefetch // nil unless Prefetch was called
}

// version is what VBoxManage --version printed.
type version struct {
	number vbox.Version
	warned bool // VBoxManage warned that the kernel modules are not loaded
}

// New returns the Manager of a laptop. repairing reports whether it is used in a repair, which
// waits longer for VBoxManage.
func New(laptop host.Laptop, repairing func() bool) *Manager {
	return &Manager{laptop: laptop, repairing: repairing}
}

// Machine returns the VM of a machine of the store.
func (v *Manager) Machine(entry store.Machine) *Machine {
	return &Machine{virtualBox: v, entry: entry}
}

// Version returns VirtualBox's version.
func (v *Manager) Version(ctx context.Context) (vbox.Version, error) {
	found, err := v.askVersion(ctx)
	return found.number, err
}

func (v *Manager) askVersion(ctx context.Context) (version, error) {
	return v.version.Get(ctx, func() (version, error) {
		out, err := v.Run(ctx, vbox.ShowVersion())
		if err != nil {
			return version{}, err
		}
		number, err := vbox.ParseVersion(out.Stdout)
		return version{number, vbox.Classify(string(out.Stdout)+string(out.Stderr)) == vbox.KernelDriver}, err
	})
}

// VMs returns the VMs that VirtualBox knows for this user.
func (v *Manager) VMs(ctx context.Context) ([]vbox.VMRef, error) {
	if v.prefetched != nil {
		if refs, ok, err := v.prefetched.refs(ctx); ok || err != nil {
			return refs, err
		}
	}
	return v.list(ctx, "VMs", vbox.ListVMs())
}

// RunningVMs returns this user's VMs that have a process.
func (v *Manager) RunningVMs(ctx context.Context) ([]vbox.VMRef, error) {
	return v.list(ctx, "running VMs", vbox.ListRunning())
}

func (v *Manager) list(ctx context.Context, what string, args []string) ([]vbox.VMRef, error) {
	out, err := v.Run(ctx, args)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	refs, err := vbox.ParseVMs(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	return refs, nil
}

// LookUp asks VirtualBox about a VM, by its name or UUID.
func (v *Manager) LookUp(ctx context.Context, name string) (vbox.VM, error) {
	if v.prefetched != nil {
		if vm, ok, err := v.prefetched.vm(ctx, name); ok {
			return vm, err
		}
	}
	out, err := v.Run(ctx, vbox.ShowVM(name))
	if err != nil {
		return vbox.VM{}, err
	}
	vm, err := vbox.ParseVM(out.Stdout)
	if err != nil {
		return vbox.VM{}, fmt.Errorf("reading what VBoxManage prints about %s: %w", name, err)
	}
	return vm, nil
}

// LookUpRef asks VirtualBox about a VM from a list or a journal. It uses the UUID; if VirtualBox
// does not know that, it uses the name, if that is still the same VM.
func (v *Manager) LookUpRef(ctx context.Context, ref vbox.VMRef) (vbox.VM, error) {
	if ref.UUID == "" {
		return v.LookUp(ctx, ref.Name)
	}
	vm, err := v.LookUp(ctx, ref.UUID)
	if vbox.KindOf(err) != "" && ref.Name != "" && !ref.Inaccessible() {
		if named, again := v.LookUp(ctx, ref.Name); again == nil && named.UUID == ref.UUID {
			return named, nil
		}
	}
	return vm, err
}

// Run runs VBoxManage with arguments from package vbox. A message "error:" on stderr is an error,
// whatever the exit status. If an object is not ready, it tries again for retryTime.
func (v *Manager) Run(ctx context.Context, args []string) (host.Output, error) {
	path, err := v.laptop.LookPath("VBoxManage", installation.Paths(v.laptop.OS())...)
	if err != nil {
		return host.Output{}, ErrNotInstalled
	}
	if v.prefetched != nil {
		release, err := v.prefetched.slot(ctx)
		if err != nil {
			return host.Output{}, fmt.Errorf("asking VBoxManage: %w", err)
		}
		defer release()
	}
	limit := v.timeFor(args)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, noAnswer(limit))
	defer cancel()
	deadline := time.Now().Add(retryTime)
	for {
		out, err := v.laptop.Run(ctx, host.Cmd{Argv: append([]string{path}, args...), Env: vbox.Env()})
		err = vbox.Check(out, err)
		var complaint *vbox.Error
		if !errors.As(err, &complaint) || !complaint.Retryable() || time.Now().After(deadline) {
			return out, err
		}
		if err := host.Sleep(ctx, retryPause); err != nil {
			return out, err
		}
	}
}

// timeFor returns how long VBoxManage may take for these arguments.
func (v *Manager) timeFor(args []string) time.Duration {
	switch {
	case len(args) > 0 && args[0] == "startvm", slices.Contains(args, "savestate"):
		return memoryTime
	case v.repairing():
		return repairTime
	}
	return diagnosisTime
}

// noAnswer means that there was no answer for this time.
type noAnswer time.Duration

func (n noAnswer) Error() string { return "no answer for " + time.Duration(n).String() }
func (noAnswer) Unwrap() error   { return context.DeadlineExceeded }
