package vmchange

import (
	"context"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// lockPorts takes the lock for choosing a port and adding its rule. All stores share one lock,
// since they share the laptop's ports.
func lockPorts(ctx context.Context, t *target.Target) (unlock func(), err error) {
	return t.Laptop.Lock(ctx, filepath.Join(t.StateDir, "ports.lock"), func() {
		t.Notify("waiting for another docker-vpn-helper that is choosing a port")
	})
}

// freePorts takes that lock, and asks VirtualBox again about the VM and the free ports.
func freePorts(ctx context.Context, t *target.Target) (vm vbox.VM, ports *virtualbox.PortFinder, unlock func(), err error) {
	if unlock, err = lockPorts(ctx, t); err != nil {
		return vm, nil, nil, err
	}
	t.Forget()
	if vm, err = t.VM.Info(ctx); err == nil {
		ports, err = t.VirtualBox.FindPorts(ctx, vm, t.Network)
	}
	if err != nil {
		unlock()
	}
	return vm, ports, unlock, err
}

// lookUp asks VirtualBox about a VM. exists is false if the VM is gone, and its rules with it.
func lookUp(ctx context.Context, t *target.Target, ref vbox.VMRef) (vm vbox.VM, exists bool, err error) {
	t.Forget()
	vm, err = t.VirtualBox.LookUpRef(ctx, ref)
	if vbox.KindOf(err) == vbox.NotFound {
		return vm, false, nil
	}
	return vm, err == nil, err
}
