package changes

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// ChoosePort is the port to plan for the NAT rule to dockerd: the one that the user wants
// and no other, or else the first usable one from dockerd's own on. The error is a
// *virtualbox.PortError where there is none.
func ChoosePort(ctx context.Context, t *target.Target, vm vbox.VM) (int, error) {
	ports, err := t.VirtualBox.Ports(ctx, vm, t.Network)
	if err != nil {
		return 0, err
	}
	port, err := ports.Choose(ctx, t.PreferredPort(), t.Port != 0)
	return port, withPortHint(t, err)
}

// CheckPort is a *virtualbox.PortError if the user wants a port that the NAT rule to
// dockerd cannot have. It is for before anything is changed: what keeps VirtualBox from
// answering, the repair itself will report.
func CheckPort(ctx context.Context, t *target.Target) error {
	if t.Port == 0 || !t.Machine.VirtualBox() {
		return nil
	}
	if e, ok := t.Endpoints.VerifiedRecord(ctx); ok && e.Port == t.Port {
		return nil
	}
	vm, _ := t.VM.Info(ctx) // without one, other VMs' rules and listeners can be in the way all the same
	for _, f := range t.VM.DaemonRules(vm) {
		if f.HostPort != t.Port {
			continue
		}
		if vm.State.Live() {
			return nil // it is VirtualBox that listens
		}
		vm.Forwards = slices.DeleteFunc(slices.Clone(vm.Forwards), func(g vbox.Forward) bool { return g == f })
	}
	_, err := ChoosePort(ctx, t, vm)
	var unusable *virtualbox.PortError
	if errors.As(err, &unusable) || ctx.Err() != nil {
		return err
	}
	return nil
}

// withPortHint gives a *virtualbox.PortError the command line with the port that it names.
func withPortHint(t *target.Target, err error) error {
	var unusable *virtualbox.PortError
	if errors.As(err, &unusable) && unusable.Next != 0 {
		unusable.Hint = t.Hint(hint.Fix("--port", strconv.Itoa(unusable.Next)))
	}
	return err
}

// lockPorts takes the lock under which a port is chosen and its rule added. It is one for
// all stores: they share the laptop's ports.
func lockPorts(ctx context.Context, t *target.Target) (unlock func(), err error) {
	return t.Laptop.Lock(ctx, filepath.Join(t.StateDir, "ports.lock"), func() {
		t.Notify("waiting for another docker-vpn-helper that is choosing a port")
	})
}
