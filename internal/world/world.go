// Package world is what the layers inspect and the changes change: one machine,
// the laptop, and the docker host behind it. What several layers need to know is
// asked once and shared: the VM, the docker host's facts, what answers where.
package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// ProbeTime bounds one probe: a peer that says nothing for so long is silent.
const ProbeTime = 2 * time.Second

// Localhost is the name that the endpoint goes by.
const Localhost = "localhost"

// Flags are the user's wishes that plans depend on.
type Flags struct {
	Port          int  // host port to prefer for a new NAT rule; 0 is the default
	Reissue       bool // a new server certificate even if the old one is good
	StopVMs       bool // VMs may be saved and resumed
	AcceptHostKey bool // a changed SSH host key is taken as the new one
	// Patience lengthens the waits for what no VPN can take: a repair waits for
	// a peer that a diagnosis calls silent. 0 is a diagnosis.
	Patience time.Duration
	// DaemonWait is how long dockerd may take to come up after a restart.
	DaemonWait time.Duration
	// Program starts every command in a hint, "docker-vpn-helper" and the global flags.
	Program string
}

// World is one machine and everything around it.
type World struct {
	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	// LoadErr is why the machine's config.json could not be read; Machine then
	// has only its name.
	LoadErr error
	Flags
	Getenv   func(string) string
	Now      func() time.Time
	StateDir string
	Docker   *dockercli.CLI // the laptop's
	// Removed says that the machine is not in the store any more.
	Removed bool
	// Frugal forbids what would cost a login as long as all is well.
	Frugal bool
	// Shared is what the Worlds of many machines know together; nil for one alone.
	Shared *Shared
	// Sparing lets a diagnosis do without a login where several were made a moment
	// ago and all is well.
	Sparing bool
	// Tell passes on what a wait has to say.
	Tell func(format string, args ...any)

	vm      memo.Of[vbox.VM]
	version memo.Of[vboxVersion]
	guest   memo.Of[netip.Addr]
	facts   memo.Of[dockerhost.Facts]
	answers memo.ByKey[Endpoint, Answer]
	target  memo.Of[Endpoint]

	ssh      memo.Of[*sshhost.Client] // outlives Forget: one login a run
	redialed atomic.Bool
	unpaced  atomic.Bool // a rollback has a deadline: it waits for nobody's count

	made      atomic.Pointer[Login]
	smallOnly atomic.Bool    // see askHost
	books     sync.WaitGroup // ledgers that are being written
}

// Forget drops what may have changed. The SSH connection stays.
func (w *World) Forget() {
	w.vm.Forget()
	w.guest.Forget()
	w.facts.Forget()
	w.answers.Forget()
	w.target.Forget()
}

// Close ends the SSH connection, if there is one.
func (w *World) Close() {
	defer w.books.Wait()
	if c, _ := w.ssh.Peek(); c != nil {
		c.Close()
	}
}

// Repairing says that this is a repair: only what it needs is asked.
func (w *World) Repairing() bool { return w.Patience > 0 }

// Hint is a command line about this machine that works when pasted.
func (w *World) Hint(command string, flags ...string) string {
	line := w.Program + " " + command
	for _, f := range flags {
		line += " " + shell.Quote(f)
	}
	return line + " " + shell.Quote(w.Machine.Name)
}

// DockerMachine is a docker-machine command line about this machine that works when
// pasted: its -s is ours, and given where ours was.
func (w *World) DockerMachine(args ...string) string {
	line := strings.Replace(w.Program, "docker-vpn-helper", "docker-machine", 1)
	return line + " " + shell.Command(append(args, w.Machine.Name)...)
}

// MachineState is the directory of this machine's journals, lock and host-key pin. Stores
// may hold machines of the same name, so it is named after both.
func (w *World) MachineState() string {
	return MachineState(w.StateDir, w.Machine.StoreDir, w.Machine.Name)
}

// VBoxManage runs VBoxManage and tells its habits apart: an error on stderr
// with exit status 0 is an error, and an object that is not ready is asked again.
func (w *World) VBoxManage(ctx context.Context, args []string) (host.Output, error) {
	path, err := w.Laptop.LookPath("VBoxManage", vbox.Paths(w.Laptop.OS(), w.Getenv)...)
	if err != nil {
		return host.Output{}, ErrNoVBoxManage
	}
	end, err := w.Shared.turn(ctx)
	if err != nil {
		return host.Output{}, fmt.Errorf("asking VBoxManage: %w", err)
	}
	defer end()
	limit := w.vboxTime(args)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, noAnswer(limit))
	defer cancel()
	deadline := w.Now().Add(5 * time.Second)
	for {
		out, err := w.Laptop.Run(ctx, host.Cmd{Argv: append([]string{path}, args...), Env: vbox.Env()})
		err = vbox.Check(out, err)
		var complaint *vbox.Error
		if !errors.As(err, &complaint) || !complaint.Retryable() || w.Now().After(deadline) {
			return out, err
		}
		if err := host.Sleep(ctx, 200*time.Millisecond); err != nil {
			return out, err
		}
	}
}

// noAnswer is a deadline that has passed, in words.
type noAnswer time.Duration

func (n noAnswer) Error() string { return "no answer for " + time.Duration(n).String() }
func (noAnswer) Unwrap() error   { return context.DeadlineExceeded }

// vboxTime is how long VBoxManage may take: one whose VBoxSVC hangs never ends. A
// cold start takes seconds, and a VM's memory is written to disk or read from it in minutes.
func (w *World) vboxTime(args []string) time.Duration {
	switch {
	case len(args) > 0 && args[0] == "startvm", slices.Contains(args, "savestate"):
		return 10 * time.Minute
	case w.Repairing():
		return 30 * time.Second
	}
	return 2 * ProbeTime
}

// VM asks VirtualBox about the machine's VM.
func (w *World) VM(ctx context.Context) (vbox.VM, error) {
	return w.vm.Get(ctx, func() (vbox.VM, error) { return w.LookUpVM(ctx, w.Machine.VMName) })
}

// LookUpVM asks VirtualBox about any VM, by name or UUID.
func (w *World) LookUpVM(ctx context.Context, name string) (vbox.VM, error) {
	if vm, ok, err := w.Shared.vm(ctx, name); ok {
		return vm, err
	}
	return w.showVM(ctx, name)
}

// LookUpRef asks VirtualBox about a VM that was listed or written down: by its UUID,
// and where that is not known by its name, if it is still the same VM.
func (w *World) LookUpRef(ctx context.Context, ref vbox.VMRef) (vbox.VM, error) {
	if ref.UUID == "" {
		return w.LookUpVM(ctx, ref.Name)
	}
	vm, err := w.LookUpVM(ctx, ref.UUID)
	var complaint *vbox.Error
	if errors.As(err, &complaint) && ref.Name != "" && !ref.Inaccessible() {
		if named, again := w.LookUpVM(ctx, ref.Name); again == nil && named.UUID == ref.UUID {
			return named, nil
		}
	}
	return vm, err
}

// ListVMs asks VirtualBox for the VMs that it knows.
func (w *World) ListVMs(ctx context.Context) ([]vbox.VMRef, error) {
	if w.Shared != nil {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.Shared.listed:
		}
		if w.Shared.known {
			return w.Shared.refs, nil
		}
	}
	out, err := w.VBoxManage(ctx, vbox.ListVMs())
	if err != nil {
		return nil, fmt.Errorf("listing VMs: %w", err)
	}
	vms, err := vbox.ParseVMs(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("listing VMs: %w", err)
	}
	return vms, nil
}

func (w *World) showVM(ctx context.Context, name string) (vbox.VM, error) {
	out, err := w.VBoxManage(ctx, vbox.ShowVM(name))
	if err != nil {
		return vbox.VM{}, err
	}
	vm, err := vbox.ParseVM(out.Stdout)
	if err != nil {
		return vbox.VM{}, fmt.Errorf("reading what VBoxManage says of %s: %w", name, err)
	}
	return vm, nil
}

// HostOnly is the host-only address of the docker host; the zero Addr where the
// machine has none.
func (w *World) HostOnly() netip.Addr { return w.Machine.IP }
