package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/allowance"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// allowed is one allowance in allow --list.
type allowed struct {
	Container string   `json:"container"`
	Port      int      `json:"port,omitempty"`
	Protocol  string   `json:"protocol"`
	From      string   `json:"from,omitempty"`
	Once      bool     `json:"once"`
	Rules     []string `json:"rules"`
	Drift     []string `json:"drift"`

	text string
}

// listReport is what allow --list --json prints.
type listReport struct {
	Schema     int       `json:"schema"`
	Host       string    `json:"host"`
	Allowances []allowed `json:"allowances"`
	Drift      []string  `json:"drift"`           // of the units that load the rules again
	Notes      []string  `json:"notes"`           // when the rules are not loaded again
	Pending    int       `json:"pending_seconds"` // until the last change is reverted; 0 if none is pending
}

func (a *app) listAllowances(t *target.Target) error {
	state, list, err := a.allowances(t)
	if err != nil {
		return a.reachFailed(t, err)
	}
	r := listReport{Schema: engine.Schema, Host: t.Ref.String(), Allowances: []allowed{}, Drift: []string{}, Notes: nonNil(list.Limits(state))}
	if state.Pending != nil {
		r.Pending = int(state.Pending.Left / time.Second)
	}
	if len(list.All) > 0 {
		facts, err := a.facts(a.ctx, t)
		if err != nil {
			return a.reachFailed(t, err)
		}
		docker, err := allowance.Ask(a.ctx, t.Host, a.dockerSocket(t))
		if err != nil {
			return a.reachFailed(t, err)
		}
		for i := range list.All {
			w := &list.All[i]
			one := allowed{Container: w.Container, Port: w.Port, Protocol: w.Protocol(), Once: w.Once != "", Rules: nonNil(w.Commands(facts)), Drift: []string{}, text: w.String()}
			if w.From.IsValid() {
				one.From = w.From.String()
			}
			if w.Once == "" || w.Once == docker.Boot {
				one.Drift = nonNil(w.Drift(facts))
			} else {
				one.Rules, one.text = []string{}, one.text+": ended at the reboot"
			}
			r.Allowances = append(r.Allowances, one)
		}
		r.Drift = nonNil(list.UnitDrift(state, docker))
	}
	if len(r.Drift) > 0 || slices.ContainsFunc(r.Allowances, func(w allowed) bool { return len(w.Drift) > 0 }) {
		a.code = exitProblems
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	a.printAllowed(t, r)
	return nil
}

func (a *app) printAllowed(t *target.Target, r listReport) {
	if len(r.Allowances) == 0 {
		a.ui.Say("[%s] allow has opened nothing", t.Name())
		return
	}
	var lines []string
	for _, w := range r.Allowances {
		lines = append(lines, w.text)
		for _, rule := range w.Rules {
			lines = append(lines, "  "+rule)
		}
		for _, d := range w.Drift {
			lines = append(lines, "  ✗ "+d)
		}
	}
	for _, d := range r.Drift {
		lines = append(lines, "✗ "+d)
	}
	for _, n := range r.Notes {
		lines = append(lines, "! "+n)
	}
	a.ui.Lines(lines...)
	if r.Pending > 0 {
		a.ui.Say("[%s] the last change will be reverted in %ds unless it is confirmed", t.Name(), r.Pending)
		a.next(t.Hint(hint.Own("allow", "--confirm", "-H", hint.Machine)))
	} else if a.code == exitProblems {
		a.next(t.Hint(hint.Own("allow", r.Allowances[0].Container, "-H", hint.Machine)))
	}
}

// confirmAllowance makes the pending change permanent.
func (a *app) confirmAllowance(t *target.Target) error {
	err := hostrules.Confirm(a.ctx, t.Host, allowance.SetName, "")
	if errors.Is(err, hostrules.ErrNotPending) {
		return &exitError{code: exitProblems, message: err.Error(), hint: t.Hint(hint.Own("allow", "--list", "-H", hint.Machine))}
	}
	if err != nil {
		return a.reachFailed(t, err)
	}
	return a.printConfirmed(t, "the change is permanent")
}

// deny closes what allow has opened for a container.
func (a *app) deny(s *engine.Session, r allowance.Request, dryRun bool) error {
	t := s.Target
	state, list, err := a.allowances(t)
	if err != nil {
		return a.reachFailed(t, err)
	}
	removed := list.Remove(r)
	if len(removed) == 0 {
		what := r.Container
		if r.Port != 0 {
			what += fmt.Sprintf(" port %d", r.Port)
		}
		return &exitError{code: exitProblems, message: "allow has opened nothing for " + what, hint: t.Hint(hint.Own("allow", "--list", "-H", hint.Machine))}
	}
	var res engine.Result
	if !dryRun {
		c := &hostchange.InstallRules{Plan: "deny " + r.Container, New: list.Set()}
		if len(list.All) == 0 {
			c.New, c.Remove = nil, state.Installed
			if state.Installed == nil {
				c.Remove = &state.Pending.Set
			}
		}
		if err := c.Backup(a.ctx, t); err != nil {
			return a.reachFailed(t, err)
		}
		if res, err = s.Apply(a.ctx, a.hard, []engine.Change{c}); err != nil {
			return err
		}
	}
	var closed []string
	for i := range removed {
		closed = append(closed, removed[i].String())
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema  int      `json:"schema"`
			Host    string   `json:"host"`
			Closed  []string `json:"closed"`
			DryRun  bool     `json:"dry_run"`
			Applied []string `json:"applied"`
			Journal string   `json:"journal"`
		}{engine.Schema, t.Ref.String(), closed, dryRun, nonNil(res.Applied), res.Journal})
	}
	for _, w := range closed {
		if dryRun {
			a.ui.Say("[%s] would be closed: %s", t.Name(), w)
		} else {
			a.ui.Success("[%s] closed: %s", t.Name(), w)
		}
	}
	return nil
}
