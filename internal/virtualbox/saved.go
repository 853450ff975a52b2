package virtualbox

import (
	"context"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// SavedVM is a VM that is saved for the restart and resumed after it.
type SavedVM struct {
	Name, UUID string
	Paused     bool // it was, and is again
}

// Resume starts the VM if it is saved. One that VirtualBox does not know any more is
// nothing to wait for.
func (v *Manager) Resume(ctx context.Context, s SavedVM, notify func(string, ...any)) (resumed bool, err error) {
	vm, err := v.LookUp(ctx, s.UUID)
	// VirtualBox goes on saving where VBoxManage was stopped.
	for err == nil && vm.State == vbox.Saving {
		if err = host.Sleep(ctx, 200*time.Millisecond); err == nil {
			vm, err = v.LookUp(ctx, s.UUID)
		}
	}
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at VM %s: %w", s.Name, err)
	}
	if vm.State != vbox.Saved {
		return false, nil
	}
	notify("resuming VM %s", s.Name)
	if _, err := v.Run(ctx, vbox.StartVM(s.UUID)); err != nil {
		return false, fmt.Errorf("resuming VM %s: %w", s.Name, err)
	}
	if s.Paused {
		if _, err := v.Run(ctx, vbox.ControlVM(s.UUID, "pause")); err != nil {
			return true, fmt.Errorf("pausing VM %s again: %w", s.Name, err)
		}
	}
	return true, nil
}
