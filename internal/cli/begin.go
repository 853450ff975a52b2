package cli

import (
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// begin is how every command that changes something starts: alone on the machine,
// and after a run that was killed has been taken back.
func (a *app) begin(w *world.World) (unlock func(), err error) {
	unlock, err = w.Laptop.Lock(a.ctx, filepath.Join(w.MachineState(), "lock"), func() {
		a.ui.Say("[%s] waiting for another docker-vpn-helper that works on this machine", w.Machine.Name)
	})
	if err != nil {
		return nil, a.cause(err)
	}
	if err := a.resume(w); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}
