package cli

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// fixAll repairs the machines that run, one after the other, and prints no environment. If one
// cannot be repaired, it continues with the next. The exit code is the highest of all.
func (a *app) fixAll(s site, f fixFlags) error {
	names, err := a.machineNames(s)
	if err != nil {
		return err
	}
	worst := exitOK
	for _, name := range names {
		code := exitOK
		reason, err := a.whySkipped(s, name)
		switch {
		case err == nil && reason != "":
			err = a.skipped(name, reason)
		case err == nil:
			a.code, a.on = exitOK, target.Ref{Kind: target.Machine, Name: name}
			err = a.fix(s, name, f)
			code = a.code // a dry run sets it
		}
		if a.ctx.Err() != nil {
			return a.cause(a.ctx.Err())
		}
		if err != nil {
			e := a.classify(err)
			if !a.ui.JSON {
				e.message = fmt.Sprintf("[%s] %s", name, e.message)
			}
			code = a.report(e)
		}
		worst = max(worst, code)
	}
	a.code = worst
	return nil
}

// whySkipped returns the reason for which fix --all skips a machine: its VM is off. It returns ""
// for all other machines, also if they have no VM.
func (a *app) whySkipped(s site, name string) (reason string, err error) {
	t, err := a.open(s, name)
	if err != nil {
		return "", err
	}
	defer t.Close()
	if t.LoadErr != nil {
		return "", t.LoadErr
	}
	if !t.Machine.VirtualBox() {
		return "", nil
	}
	running, err := t.VM.Running(a.ctx)
	if err == nil && !running {
		reason = "its VM is not running"
	}
	return reason, err
}

func (a *app) skipped(name, reason string) error {
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema  int    `json:"schema"`
			Machine string `json:"machine"`
			Skipped string `json:"skipped"`
		}{engine.Schema, name, reason})
	}
	a.ui.Say("[%s] skipped: %s", name, reason)
	return nil
}
