package cli

import (
	"errors"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// What guard and allow share: they work on a docker host's packet filters, as root there.

// confirmTime is how long a docker host that is reached over SSH waits for a new connection
// before it reverts a change of its packet filters.
const confirmTime = 60 * time.Second

// onFilters opens the docker host whose packet filters -H or the default names.
func (a *app) onFilters(do func(site, *target.Target) error) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	return a.onHost(s, nil, func(t *target.Target) error {
		if err := a.hasFilters(t); err != nil {
			return err
		}
		if err := do(s, t); err != nil {
			return a.filtersFailed(t, err)
		}
		return nil
	}, filterKinds()...)
}

// changeFilters begins a session that changes the packet filters of the docker host.
func (a *app) changeFilters(command string, do func(*engine.Session) error) error {
	return a.onFilters(func(s site, t *target.Target) error {
		job := a.hostJob(s, t.Ref, t.State(), command, nil)
		if t.Kind == target.Machine {
			job = a.machineJob(s, t.Machine.Name, command, nil)
		}
		t.Close() // the session has a connection of its own
		session, err := engine.Begin(a.ctx, a.hard, job)
		if err != nil {
			return err
		}
		defer session.Close()
		defer session.Target.Enter(mode.Repair())()
		if _, err := closeExpired(a.ctx, session); err != nil {
			return err
		}
		return do(session)
	})
}

// filtersFailed is an error of the docker host with its exit status.
func (a *app) filtersFailed(t *target.Target, err error) error {
	var known *exitError
	switch {
	case errors.As(err, &known):
		return err
	case a.interrupted():
		return a.cause(err)
	case errors.Is(err, host.ErrNoSudo):
		return a.needsRoot(t, "packet filters need", err)
	case errors.Is(err, hostrules.ErrNotPending):
		return &exitError{code: exitProblems, message: err.Error(), hint: t.Hint(hint.Own(a.cmd.Parent().Name(), "status", "-H", hint.Machine))}
	}
	return err
}

// unread is that the docker host's packet filters could not be asked for.
func (a *app) unread(t *target.Target, err error) error {
	if a.interrupted() || errors.Is(err, host.ErrNoSudo) {
		return err
	}
	return &exitError{code: exitUnknown, message: a.cause(err).Error(), hint: t.Hint(hint.Own("doctor", hint.Machine))}
}

// confirmation says how a change of a docker host's packet filters is confirmed: within what
// time, 0 if it needs no confirmation, and whether the user does it, by a command.
func (a *app) confirmation(t *target.Target, session string, within time.Duration, change *hostchange.InstallRules) {
	change.Within, change.ByUser = within, t.Kind == target.Local
	if within == 0 && (t.Kind != target.Local || session != "") {
		change.Within = confirmTime
	}
}

// checkWithin is wrong usage unless a change can be confirmed within that time.
func (a *app) checkWithin(within time.Duration, given bool) error {
	if given && (within < time.Second || within > 24*time.Hour) {
		return misused(a.corrected(within.String(), confirmTime.String()), "--confirm-within takes 1s to 24h, not %s", within)
	}
	if given && within < 10*time.Second {
		a.ui.Say("a new connection may take longer than %s: everything is reverted then", within)
	}
	return nil
}

// printConfirmed prints that a change lasts from now on.
func (a *app) printConfirmed(t *target.Target, what string) error {
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema    int    `json:"schema"`
			Host      string `json:"host"`
			Confirmed bool   `json:"confirmed"`
		}{engine.Schema, t.Ref.String(), true})
	}
	a.ui.Success("[%s] confirmed: %s", t.Name(), what)
	return nil
}
