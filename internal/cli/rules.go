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

// This file has what guard and allow share: they change a docker host's packet filters, as root.

// confirmTime is after how long a docker host that is reached over SSH reverts a change of its packet
// filters that was not confirmed.
const confirmTime = 60 * time.Second

// onFilters opens the docker host that -H names, or the default one, and calls do with it.
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

// changeFilters is onFilters with a session, in which do can change the packet filters.
func (a *app) changeFilters(command string, do func(*engine.Session) error) error {
	return a.onFilters(func(s site, t *target.Target) error {
		job := a.hostJob(s, t.Ref, t.State(), command, nil)
		if t.Kind == target.Machine {
			job = a.machineJob(s, t.Machine.Name, command, nil)
		}
		t.Close() // the session opens its own connection
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

// filtersFailed adds exit status and hint to an error of the docker host.
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

// cannotRead is the error that the docker host's packet filters could not be read.
func (a *app) cannotRead(t *target.Target, err error) error {
	if a.interrupted() || errors.Is(err, host.ErrNoSudo) {
		return err
	}
	return &exitError{code: exitUnknown, message: a.cause(err).Error(), hint: t.Hint(hint.Own("doctor", hint.Machine))}
}

// confirmation sets how the change must be confirmed: within what time (0: not at all), and whether
// the user must do it with a command. session is the SSH session in which the docker host was asked.
func (a *app) confirmation(t *target.Target, session string, within time.Duration, change *hostchange.InstallRules) {
	change.ConfirmWithin, change.UserConfirms = within, t.Kind == target.Local
	if within == 0 && (t.Kind != target.Local || session != "") {
		change.ConfirmWithin = confirmTime
	}
}

// checkWithin checks --confirm-within.
func (a *app) checkWithin(within time.Duration, given bool) error {
	if given && (within < time.Second || within > 24*time.Hour) {
		return misused(a.corrected(within.String(), confirmTime.String()), "--confirm-within takes 1s to 24h, not %s", within)
	}
	if given && within < 10*time.Second {
		a.ui.Say("a new connection may take longer than %s, and then the change will be reverted", within)
	}
	return nil
}

// printConfirmed prints that a change was confirmed.
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
