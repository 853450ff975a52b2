package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/allowance"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// openPlan is what allow will do on one docker host.
type openPlan struct {
	facts *netfacts.Facts
	state hostrules.State
	plans []*allowance.Plan // one per container
	list  *allowance.List   // as it will be
}

// needed reports whether the plan adds any rule.
func (p *openPlan) needed() bool {
	for _, one := range p.plans {
		if len(one.Allowances) > 0 {
			return true
		}
	}
	return false
}

// planAllow asks the docker host, and plans. It changes nothing.
func (a *app) planAllow(t *target.Target, requests []allowance.Request, f *allowFlags) (*openPlan, error) {
	if err := a.hasDocker(t); err != nil {
		return nil, err
	}
	facts, err := a.facts(a.ctx, t)
	if err != nil {
		return nil, a.reachFailed(t, err)
	}
	p := &openPlan{facts: facts}
	docker, err := allowance.Ask(a.ctx, t.Host, a.dockerSocket(t))
	if err == nil {
		p.state, p.list, err = a.allowances(t)
	}
	if err != nil {
		return nil, a.reachFailed(t, err)
	}
	p.list.Socket, p.list.Root = a.dockerSocket(t), docker.Root
	for _, r := range requests {
		if f.once {
			r.Once = docker.Boot
		}
		one, err := allowance.New(facts, r)
		if err != nil {
			return nil, a.notAllowed(t, err)
		}
		p.plans = append(p.plans, one)
		p.list.Put(one)
	}
	return p, nil
}

// allowances returns a docker host's allowances: the pending ones if a change is pending, otherwise
// the permanent ones.
func (a *app) allowances(t *target.Target) (hostrules.State, *allowance.List, error) {
	state, err := hostrules.Read(a.ctx, t.Host, allowance.SetName)
	if err != nil {
		return state, nil, err
	}
	set := state.Installed
	if state.Pending != nil {
		set = &state.Pending.Set
	}
	list, err := allowance.ListOf(set)
	return state, list, err
}

// notAllowed adds exit status and hint to the reason why there is no plan.
func (a *app) notAllowed(t *target.Target, err error) error {
	var no *allowance.Refusal
	if !errors.As(err, &no) {
		return a.reachFailed(t, err)
	}
	e := &exitError{code: exitProblems, message: no.Text}
	switch {
	case no.Stopped != "":
		e.code, e.hint = exitUserAction, hint.Run("docker", "start", no.Stopped)
	case no.Unsure:
		e.code = exitUnknown
	}
	return e
}

// previewAllow is allow --dry-run.
func (a *app) previewAllow(requests []allowance.Request, f *allowFlags) error {
	return a.onFilters(func(_ site, t *target.Target) error {
		p, err := a.planAllow(t, requests, f)
		if err != nil {
			return err
		}
		return a.printAllow(t, p, engine.Result{}, f, nil)
	})
}

// allow opens what the requests need.
func (a *app) allow(s *engine.Session, requests []allowance.Request, f *allowFlags) error {
	t := s.Target
	p, err := a.planAllow(t, requests, f)
	if err != nil {
		return err
	}
	if !p.needed() {
		return a.printAllow(t, p, engine.Result{}, f, nil)
	}
	if err := a.confirmRisks(p); err != nil {
		return err
	}
	c := &hostchange.InstallRules{Plan: p.String(), New: p.list.Set(), Token: rand.Text(), Check: func(ctx context.Context, t *target.Target) error { return a.opened(ctx, t, p) }}
	a.confirmation(t, p.state.Session, f.within, c)
	if err := c.Backup(a.ctx, t); err != nil {
		return a.reachFailed(t, err)
	}
	res, err := s.Apply(a.ctx, a.hard, []engine.Change{c})
	if err != nil {
		return err
	}
	return a.printAllow(t, p, res, f, c)
}

// confirmRisks asks the user if a container will be able to do more than before.
func (a *app) confirmRisks(p *openPlan) error {
	for _, one := range p.plans {
		if one.LetsOut {
			return a.sink().Confirm(a.ctx, "", "this also lets container "+one.Container+" send packets to the outside: so far only the missing ARP prevents that, and allow must let ARP pass")
		}
	}
	return nil
}

// opened returns an error if packets still do not reach a container.
func (a *app) opened(ctx context.Context, t *target.Target, p *openPlan) error {
	facts, err := a.facts(ctx, t)
	if err != nil {
		return err
	}
	for _, one := range p.plans {
		for i := range one.Allowances {
			if drift := one.Allowances[i].Drift(facts); len(drift) > 0 {
				return fmt.Errorf("packets still do not reach %s: %s", &one.Allowances[i], strings.Join(drift, "; "))
			}
		}
	}
	return nil
}

// String describes the plan for the journal.
func (p *openPlan) String() string {
	var names []string
	for _, one := range p.plans {
		for i := range one.Allowances {
			names = append(names, one.Allowances[i].String())
		}
	}
	return "allow " + strings.Join(names, ", ")
}

// allowReport is what allow --json prints.
type allowReport struct {
	Schema  int                 `json:"schema"`
	Host    string              `json:"host"`
	Opened  []firewall.Obstacle `json:"opened"`
	Rules   []string            `json:"rules"`
	Notes   []string            `json:"notes"`
	DryRun  bool                `json:"dry_run"`
	Pending bool                `json:"pending"`
	Confirm string              `json:"confirm,omitempty"`
	Applied []string            `json:"applied"`
	Journal string              `json:"journal"`
}

func (a *app) printAllow(t *target.Target, p *openPlan, res engine.Result, f *allowFlags, c *hostchange.InstallRules) error {
	r := allowReport{Schema: engine.Schema, Host: t.Ref.String(), DryRun: f.dryRun, Applied: nonNil(res.Applied), Journal: res.Journal, Opened: []firewall.Obstacle{}, Rules: []string{}, Notes: []string{}}
	var lines []string
	for _, one := range p.plans {
		r.Opened, r.Notes = append(r.Opened, one.Obstacles...), append(r.Notes, one.Notes...)
		if len(one.Allowances) == 0 {
			lines = append(lines, one.Container+": already reachable")
		}
		for i := range one.Allowances {
			w := &one.Allowances[i]
			r.Rules = append(r.Rules, w.Commands(p.facts)...)
			lines = append(lines, fmt.Sprintf("%s: %s", w, map[bool]string{true: "these rules would open it", false: "opened by these rules"}[f.dryRun]))
			for _, rule := range w.Commands(p.facts) {
				lines = append(lines, "  "+rule)
			}
		}
		for _, o := range one.Obstacles {
			line := "  despite " + o.String()
			if o.WrittenBy != nil {
				line += ", written by " + writtenBy(*o.WrittenBy)
			}
			lines = append(lines, line)
		}
		for _, n := range one.Notes {
			lines = append(lines, "  ! "+n)
		}
	}
	if p.needed() {
		for _, n := range p.list.Limits(p.state) {
			r.Notes, lines = append(r.Notes, n), append(lines, "  ! "+n)
		}
	}
	confirm := t.Hint(hint.Own("allow", "--confirm", "-H", hint.Machine))
	if c != nil && c.UserConfirms && c.ConfirmWithin > 0 {
		r.Pending, r.Confirm = true, confirm.For(a.storage, "").String()
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	a.ui.Lines(lines...)
	if r.Pending {
		a.ui.Say("[%s] this will be reverted after %s unless you log in again and confirm it", t.Name(), c.ConfirmWithin)
		a.next(confirm)
	}
	return nil
}
