package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// removeTime is the timeout for removing a machine that was not created completely.
const removeTime = 60 * time.Second

// openOrCreate opens a machine. If the store does not have it, it creates the machine, provided
// that --create was given or the user agrees at a prompt; --yes is not enough.
func (a *app) openOrCreate(s site, name string, f fixFlags) (*target.Target, error) {
	t, err := a.open(s, name)
	var missing *store.NotFoundError
	if !errors.As(err, &missing) {
		return t, err
	}
	if f.create || a.ui.CanPrompt() {
		planned := a.target(s, dockermachine.Planned(name, s.dir))
		f.setOn(planned)
		if err := a.checkPort(planned, f); err != nil {
			return nil, err
		}
	}
	if f.dryRun {
		if !f.create {
			return nil, err
		}
		e := *a.classify(err)
		e.changes = []string{fmt.Sprintf("create machine %s (docker-machine create -d virtualbox %s)", name, name)}
		if !a.ui.JSON {
			a.ui.Print(e.changes[0] + "\n")
			a.next(e.hint)
			e.shown = true // it was printed as the plan and the next command
		}
		return nil, &e
	}
	if !f.create {
		if similar := nearest(name, append(missing.Known, localHost), 1); len(similar) > 0 || !dockermachine.Found(s.laptop) {
			return nil, err // probably a typing error, or the machine cannot be created here
		}
		if !a.ui.CanPrompt() || !a.ui.Ask(a.ctx, fmt.Sprintf("The store has no machine %q. Create it (docker-machine create -d virtualbox %s)?", name, name)) {
			if a.ctx.Err() != nil {
				err = context.Cause(a.ctx)
			}
			return nil, err
		}
	}
	if err := a.create(s, name, f); err != nil {
		return nil, err
	}
	return a.open(s, name)
}

// create makes the machine with docker-machine, after checking everything that could prevent it.
func (a *app) create(s site, name string, f fixFlags) error {
	exists := true // another run may have made it while this one waited for the lock
	job := a.machineJob(s, name, "create", nil)
	job.Open = func() (*target.Target, error) {
		t, err := a.open(s, name)
		var missing *store.NotFoundError
		if errors.As(err, &missing) {
			exists = false
			t, err = a.target(s, dockermachine.Planned(name, s.dir)), nil
		}
		t.StopVMs = f.stopVMs
		return t, cmp.Or(err, t.LoadErr)
	}
	session, err := engine.Begin(a.ctx, a.hard, job)
	if err != nil {
		return err
	}
	defer session.Close()
	if exists {
		return nil
	}
	defer session.Target.Enter(mode.Repair())()
	again := a.again
	if !f.create { // the user agreed at the prompt instead
		again = func(flags ...string) hint.Hint { return a.again(append([]string{"--create"}, flags...)...) }
	}
	machine := dockermachine.New(s.laptop, s.store, session.Target.VirtualBox, session.Target.Network, a.ui.Say)
	plan, err := machine.Check(a.ctx, name, again())
	if err != nil {
		return a.cause(err)
	}
	switch {
	case plan.Modules:
		restart := &vmchange.RestartModules{Again: again("--stop-vms").String()}
		_, err = session.Apply(a.ctx, a.hard, []engine.Change{restart})
	case plan.Route:
		_, err = session.Fix(a.ctx, a.hard, layers.BeforeCreate())
	}
	if err != nil {
		return err
	}
	err = machine.Create(a.ctx, name, a.Stderr)
	session.Target.Forget()
	return a.created(session.Target, machine, err)
}

// created handles an error of docker-machine create. If only its very last check failed and the VM
// runs, it continues with the machine (docker/toolbox#744). Otherwise it removes what was created.
func (a *app) created(t *target.Target, machine *dockermachine.CLI, failed error) error {
	if failed == nil {
		return nil
	}
	name := t.Machine.Name
	if a.ctx.Err() == nil {
		if up, err := t.VM.Running(a.ctx); err == nil && up {
			if m, err := t.Store.Load(a.ctx, name); err == nil && !m.CreateUnfinished {
				a.ui.Say("[%s] %v; its VM runs, so going on with it", name, failed)
				return nil
			}
		}
	}
	ctx, cancel := context.WithTimeout(a.hard, removeTime)
	defer cancel()
	if err := machine.Remove(ctx, name, a.Stderr); err != nil {
		return &exitError{code: exitIncomplete, message: fmt.Sprintf("%v; and what it left could not be removed: %v", a.cause(failed), err),
			hint: hint.DockerMachine("rm", "-f", name)}
	}
	return a.cause(failed)
}
