package cli

import (
	"errors"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// begin is how every command that changes something starts: alone on the machine,
// and after a run that was killed has been taken back.
func (a *app) begin(w *world.World, command string) (unlock func(), err error) {
	unlock, _, err = a.alone(w)
	if err != nil {
		return nil, err
	}
	if err := a.resume(w, command); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// alone waits until no other run works on the machine, and says whether it had to.
func (a *app) alone(w *world.World) (unlock func(), waited bool, err error) {
	unlock, err = w.Laptop.Lock(a.ctx, filepath.Join(w.MachineState(), "lock"), func() {
		a.ui.Say("[%s] waiting for another docker-vpn-helper that works on this machine", w.Machine.Name)
		waited = true
	})
	return unlock, waited, a.cause(err)
}

// resume rolls back what earlier runs did not finish, before command begins.
func (a *app) resume(w *world.World, command string) error {
	if err := a.resumeRestarts(siteOf(w)); err != nil {
		return err
	}
	all, err := stack.Journals(journalDir(w), changes.Decode)
	if err != nil {
		return &exitError{code: exitIncomplete, message: err.Error(), hint: w.Hint("undo", "--list")}
	}
	for i := len(all) - 1; i >= 0; i-- {
		j := all[i]
		if !j.Unfinished() {
			continue
		}
		a.ui.Say("[%s] an earlier %s did not finish: taking it back first", w.Machine.Name, j.Interrupted())
		w.Patience = fixPatience
		if j.NeedsDockerHost() {
			if err := a.raise(w, command); err != nil {
				return a.cause(err)
			}
		}
		left, err := j.Revert(a.ctx, w, stack.RolledBack, a.sink())
		for _, l := range left {
			a.ui.Say("[%s] left as it is: %s", w.Machine.Name, l)
		}
		if err != nil {
			return &stack.RollbackError{Err: errors.New("an earlier run did not finish"), Left: err, Machine: w.Machine.Name, Journal: j.Path}
		}
	}
	return nil
}

// raise starts the VM if it is off: there is something to roll back in it.
func (a *app) raise(w *world.World, command string) error {
	j := stack.NewJournal(journalDir(w), stack.Header{Command: command, Machine: w.Machine.Name, Store: w.Machine.StoreDir, Started: a.Now()})
	return stack.Raise(a.ctx, a.hard, w, layers.All()[:1], j, a.sink())
}
