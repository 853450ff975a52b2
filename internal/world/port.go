package world

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// portRange is how many ports from the preferred one on are tried.
const portRange = 200

func (w *World) preferredPort() int {
	if w.Port != 0 {
		return w.Port
	}
	return store.DefaultEnginePort
}

// ChoosePort is the first port, from the preferred one on, that nobody listens
// on, no TCP rule of any VM claims (those of VMs that are off will bind later), and
// that is not to be avoided.
func (w *World) ChoosePort(ctx context.Context, vm vbox.VM, avoid map[int]bool) (int, error) {
	claimed, err := w.claimedPorts(ctx, vm)
	if err != nil {
		return 0, err
	}
	first := w.preferredPort()
	last := min(first+portRange-1, 65535)
	for port := first; port <= last; port++ {
		if claimed[port] || avoid[port] {
			continue
		}
		free, err := w.Laptop.PortFree(ctx, port)
		if err != nil {
			return 0, fmt.Errorf("looking for a free port: %w", err)
		}
		if free {
			return port, nil
		}
	}
	return 0, &NoPortError{First: first, Last: last}
}

// NoPortError says that no port could be listened on.
type NoPortError struct{ First, Last int }

func (e *NoPortError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("127.0.0.1:%d cannot be listened on, and there is no higher port", e.First)
	}
	return fmt.Sprintf("no port from %d to %d can be listened on at 127.0.0.1", e.First, e.Last)
}

// claimedPorts are the host ports of all TCP rules of all VMs but vm's own rule of our name.
func (w *World) claimedPorts(ctx context.Context, vm vbox.VM) (map[int]bool, error) {
	claimed := map[int]bool{}
	for _, f := range vm.Forwards {
		if f.Name != RuleName && f.Proto == "tcp" {
			claimed[f.HostPort] = true
		}
	}
	vms, err := w.VirtualBox.VMs(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range vms {
		if ref.UUID == vm.UUID {
			continue
		}
		other, err := w.VirtualBox.LookUpRef(ctx, ref)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // inaccessible, or removed meanwhile: it binds nothing
		}
		for _, f := range other.Forwards {
			if f.Proto == "tcp" {
				claimed[f.HostPort] = true
			}
		}
	}
	return claimed, nil
}

// LockPorts takes the lock under which a port is chosen and its rule added.
// It is one for all stores: they share the laptop's ports.
func (w *World) LockPorts(ctx context.Context) (unlock func(), err error) {
	return w.Laptop.Lock(ctx, filepath.Join(w.StateDir, "ports.lock"), func() {
		w.Tell("waiting for another docker-vpn-helper that is choosing a port")
	})
}
