package virtualbox

import (
	"context"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// SavedVM is a VM that is saved before the modules are restarted and resumed afterwards.
type SavedVM struct {
	Name, UUID string
	Paused     bool // it was paused, and will be again
}

// Resume starts the VM if it is saved. If VirtualBox no longer knows it, there is nothing to
// resume.
func (v *Manager) Resume(ctx context.Context, s SavedVM, notify func(string, ...any)) (resumed bool, err error) {
	vm, err := v.LookUp(ctx, s.UUID)
	// If VBoxManage was interrupted, VirtualBox may still be saving the VM.
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
