package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// fixReport is what fix --json prints: the report of doctor, and what was done.
type fixReport struct {
	engine.Report
	Applied    []string          `json:"applied"`
	RolledBack bool              `json:"rolled_back"`
	Left       []string          `json:"left,omitempty"`
	Journal    string            `json:"journal"`
	Env        map[string]string `json:"env"`
	Error      *jsonError        `json:"error,omitempty"`
}

func (a *app) fix(s site, name string, f fixFlags) error {
	dialect, err := a.dialect(s, f.shell)
	if err != nil {
		return err
	}
	t, err := a.openOrCreate(s, name, f)
	if err != nil {
		return err
	}
	defer t.Close()
	if t.LoadErr != nil {
		return t.LoadErr
	}
	f.setOn(t)
	if err := a.checkPort(t, f); err != nil {
		return err
	}
	if f.dryRun {
		if !a.ui.JSON {
			a.sayUnfinished(s, t)
		}
		return a.dryRun(t, f.all)
	}
	if !a.ui.JSON && !f.all {
		// If the shell variables cannot be printed, fail before anything is changed.
		if _, err := a.block(t, endpoint.Forwarded(store.DefaultDaemonPort), dialect); err != nil {
			return err
		}
	}
	session, err := engine.Begin(a.ctx, a.hard, a.machineJob(s, name, "fix", f.setOn))
	if err != nil {
		return err
	}
	defer session.Close()
	t = session.Target
	res, err := a.repair(session)
	if err == nil {
		var vars []shell.Var
		if vars, err = t.Endpoints.Environment(a.ctx, t.Endpoints.ForDocker(a.ctx)); err == nil {
			return a.printFixed(t, res, vars, dialect, !f.all)
		}
	}
	err = a.notFix(t, err)
	if !a.ui.JSON {
		return err
	}
	e := *a.failure(err)
	e.shown = true
	out := fixReport{Report: res.Report, Applied: nonNil(res.Applied), RolledBack: res.RolledBack, Left: res.Left,
		Journal: res.Journal, Env: map[string]string{}, Error: e.json()}
	out.Schema, out.Version, out.Machine, out.Host = engine.Schema, a.release(), name, t.Ref.String()
	if out.Layers == nil { // fix ended before all layers were inspected
		out.Status, out.Layers = engine.Unknown, []engine.LayerReport{}
	}
	if err := a.ui.PrintJSON(out); err != nil {
		return err
	}
	return &e
}

// block returns the shell variables for an endpoint, as commands of the shell.
func (a *app) block(t *target.Target, e endpoint.Endpoint, dialect shell.Dialect) (string, error) {
	vars, err := t.Endpoints.Environment(a.ctx, e)
	if err != nil {
		return "", err
	}
	return shell.Render(dialect, vars, append(a.program(), "env", t.Machine.Name))
}

// repair first does the quick checks, which need no login: on a healthy machine they are enough.
func (a *app) repair(session *engine.Session) (engine.Result, error) {
	t, all := session.Target, layers.All()
	if _, ok := t.Endpoints.VerifiedRecord(a.ctx); ok && !t.Reissue && !t.StopVMs {
		if local, r, ok := engine.Quick(a.ctx, t, all, a.sink()); ok {
			if !r.Planned() {
				return engine.Result{Report: r}, nil
			}
			all = local
		}
	}
	t.Forget()
	go t.DockerCLI.API(a.ctx) // clientFits needs the answer later
	return session.Fix(a.ctx, a.hard, all)
}

func (a *app) printFixed(t *target.Target, res engine.Result, vars []shell.Var, dialect shell.Dialect, block bool) error {
	if a.ui.JSON {
		out := fixReport{Report: res.Report, Applied: nonNil(res.Applied), Journal: res.Journal, Env: map[string]string{}}
		out.Version = a.release()
		out.Endpoint = t.Endpoint(a.ctx)
		for _, v := range vars {
			out.Env[v.Name] = v.Value
		}
		return a.ui.PrintJSON(out)
	}
	for _, l := range res.Layers {
		for _, f := range l.Findings {
			if f.Status != engine.OK && l.Layer != "env" {
				a.ui.Say("[%s] %s: %s", t.Machine.Name, f.Status, f.Title)
			}
		}
	}
	a.portUnused(t)
	if len(res.Applied) == 0 {
		a.ui.Success("[%s] healthy, nothing changed", t.Machine.Name)
	} else {
		a.clientFits(t)
		a.ui.Success("[%s] repaired: dockerd answers at %s", t.Machine.Name, t.Endpoint(a.ctx))
	}
	if !block {
		return nil
	}
	text, err := shell.Render(dialect, vars, append(a.program(), "env", t.Machine.Name))
	if err != nil {
		return err
	}
	a.ui.Print(text)
	a.offerPorts(t)
	return nil
}

// clientFits prints a warning if the laptop's docker command is too old or too new for a dockerd
// that answers. No repair of the machine changes that.
func (a *app) clientFits(t *target.Target) {
	for _, l := range engine.Diagnose(a.ctx, t, layers.Only("daemon"), a.sink()).Layers {
		for _, f := range l.Findings {
			if f.Status == engine.Fail {
				a.ui.Say("[%s] %s: %s", t.Machine.Name, f.Status, f.Title)
				a.ui.Say("[%s] hint: %s", t.Machine.Name, f.Hint)
			}
		}
	}
}

// elapsed matches the time after which a layer's inspection failed.
var elapsed = regexp.MustCompile(` \(after [\d.]+m?s\)$`)

// unchecked returns a line for each reason why layers could not be checked, with their names.
func unchecked(r engine.Report) (lines []string) {
	var reasons []string
	names := map[string][]string{}
	for _, l := range r.Layers {
		if l.Status != engine.Unknown || len(l.Findings) == 0 {
			continue
		}
		reason := elapsed.ReplaceAllString(strings.TrimPrefix(l.Findings[0].Title, "could not tell: "), "")
		if names[reason] == nil {
			reasons = append(reasons, reason)
		}
		names[reason] = append(names[reason], l.Layer)
	}
	for _, reason := range reasons {
		lines = append(lines, fmt.Sprintf("could not check %s: %s", strings.Join(names[reason], ", "), reason))
	}
	return lines
}

// dryRun prints the changes of every layer that could be inspected. If named, each line begins with
// the machine's name.
func (a *app) dryRun(t *target.Target, named bool) error {
	r := engine.Diagnose(a.ctx, t, layers.All(), a.sink())
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	r.Version = a.release()
	a.code = reportCode(r)
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	lines, later := plan(r)
	if f, ok := r.CauseFinding(); ok && len(lines) == 0 && r.Failed() {
		return a.notFix(t, &engine.VerdictError{Finding: f, Status: engine.Fail})
	}
	if len(later) > 0 {
		lines = append(lines, "then re-check: "+strings.Join(later, ", "))
	}
	for _, line := range unchecked(r) {
		a.ui.Say("[%s] %s", t.Machine.Name, line)
	}
	for _, risk := range r.Risks() {
		a.ui.Say("[%s] fix asks first: %s", t.Machine.Name, risk)
	}
	if !slices.ContainsFunc(r.Layers, func(l engine.LayerReport) bool { return l.Layer == "forward" && len(l.Changes) > 0 }) {
		a.portUnused(t)
	}
	if len(lines) == 0 {
		a.ui.Say("[%s] nothing to change", t.Machine.Name)
	}
	for i, line := range lines {
		if named {
			lines[i] = fmt.Sprintf("[%s] %s", t.Machine.Name, line)
		}
	}
	a.ui.Lines(lines...)
	return nil
}

// plan returns the changes of a report, and the layers to check after them.
func plan(r engine.Report) (changes, later []string) {
	for _, l := range r.Layers {
		changes = append(changes, l.Changes...)
		if (l.Status == engine.Blocked || l.Status == engine.Unknown) && len(l.Changes) == 0 {
			later = append(later, l.Layer)
		}
	}
	return changes, later
}

// notFix replaces the hint to run fix, because this was fix.
func (a *app) notFix(t *target.Target, err error) error {
	var verdict *engine.VerdictError
	if errors.As(err, &verdict) && verdict.Finding.Hint.String() == t.Hint(hint.Fix()).String() {
		verdict.Finding.Hint = hint.Explain(verdict.Finding.Code)
	}
	return err
}
