package cli

import (
	"errors"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// begin is how a command that changes something starts: it takes the machine's lock, opens
// the machine as the run before has left it, and rolls back what earlier runs did not finish.
func (a *app) begin(s site, name, command string, open func() (*world.World, error)) (w *world.World, end func(), err error) {
	unlock, err := a.lock(s, name)
	if err != nil {
		return nil, nil, err
	}
	w, err = open()
	if err == nil {
		err = w.LoadErr
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	end = func() {
		w.Close()
		unlock()
	}
	if err := a.resume(w, command); err != nil {
		end()
		return nil, nil, err
	}
	return w, end, nil
}

// lock waits until no other run works on the machine. What was read of the machine before
// may be outdated then.
func (a *app) lock(s site, name string) (unlock func(), err error) {
	unlock, err = s.laptop.Lock(a.ctx, filepath.Join(world.MachineState(s.state, s.dir, name), "lock"), func() {
		a.ui.Say("[%s] waiting for another docker-vpn-helper that works on this machine", name)
	})
	return unlock, a.cause(err)
}

// resume rolls back what earlier runs did not finish, before command begins.
func (a *app) resume(w *world.World, command string) error {
	if err := a.resumeRestarts(siteOf(w)); err != nil {
		return err
	}
	all, err := stack.Journals(a.ctx, w.Laptop, journalDir(w), changes.Decode)
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
	j := stack.NewJournal(w.Laptop, journalDir(w), stack.Header{Command: command, Machine: w.Machine.Name, Store: w.Machine.StoreDir, Started: a.Now()})
	return stack.Raise(a.ctx, a.hard, w, layers.All()[:1], j, a.sink())
}
