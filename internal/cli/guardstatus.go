package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) guardStatusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status [-H HOST]",
		Short: "List which ports are open to whom, and what differs from the settings",
		Long: `status lists every published port with its container, and who can reach it. It compares the
rules, the files and the units with the settings. It changes nothing.`,
		Example: `  docker-vpn-helper guard status -H local
  docker-vpn-helper guard status -H ssh://me@build --json`,
		Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.onFilters(func(_ site, t *target.Target) error { return a.guardStatus(t) })
		},
	}
}

// listed is settings for JSON, where no interface and no port are lists, too.
func listed(s guard.Settings) guard.Settings {
	s.Public = nonNil(s.Public)
	if s.Allow == nil {
		s.Allow = []guard.Port{}
	}
	return s
}

// guardState is what guard status prints with --json.
type guardState struct {
	Schema int    `json:"schema"`
	Host   string `json:"host"`
	On     bool   `json:"on"`
	guard.Settings
	// Method is how the ports that docker-proxy serves are closed: "cgroup" or "list"; "" if guard is off.
	Method string `json:"method"`
	// Pending means that the last change is reverted in ConfirmWithin seconds unless it is confirmed.
	Pending       bool             `json:"pending"`
	ConfirmWithin int              `json:"confirm_within"`
	Ports         []guard.Exposure `json:"ports"`
	Drift         []guard.Drift    `json:"drift"`
	Notes         []string         `json:"notes"`
}

func (a *app) guardStatus(t *target.Target) error {
	f, err := guard.Collect(a.ctx, t.Host, a.dockerSocket(t), guard.SkipCgroup)
	if err != nil {
		return a.cannotRead(t, err)
	}
	s, err := f.Settings()
	if err != nil {
		return err
	}
	r := guardState{Schema: engine.Schema, Host: t.Ref.String(), On: f.Active(), Settings: listed(s), Ports: f.Exposures(s), Drift: f.Drift(s), Notes: []string{}}
	if r.On {
		r.Method, r.Notes = f.Method(), nonNil(f.Notes(s))
	}
	if r.Drift == nil {
		r.Drift = []guard.Drift{}
	}
	if f.Rules.Pending != nil {
		r.Pending, r.ConfirmWithin = true, max(0, int(f.Rules.Pending.Left/time.Second))
	}
	if len(r.Drift) > 0 {
		a.code = exitProblems
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	a.printGuardState(t, r)
	return nil
}

func (a *app) printGuardState(t *target.Target, r guardState) {
	lines := []string{"guard is off: published ports are open to everyone"}
	if r.On {
		how := "by docker's cgroup, so new ports are closed at once"
		if r.Method == guard.ByList {
			how = "port by port"
		}
		lines = []string{
			fmt.Sprintf("guard is on: published ports are closed to %s, allowed: %s", strings.Join(r.Public, ", "), r.Allows()),
			"ports that docker-proxy serves are closed " + how,
			"if the rules cannot be loaded, dockerd " + withoutRules(r.Strict),
		}
	}
	if r.Pending {
		lines = append(lines, fmt.Sprintf("The last change will be reverted in %ds unless it is confirmed: %s", r.ConfirmWithin, t.Hint(hint.Own("guard", "confirm", "-H", hint.Machine))))
	}
	for _, p := range r.Ports {
		to := "closed"
		switch {
		case p.Open && len(p.From) > 0:
			to = "open to " + strings.Join(p.From, ", ")
		case p.Open:
			to = "open to everyone"
		}
		line := fmt.Sprintf("  %d/%s  %s  %s", p.Port, p.Protocol, p.Container, to)
		if !slices.Contains(lines, line) { // docker lists a port for IPv4 and for IPv6
			lines = append(lines, line)
		}
	}
	for _, d := range r.Drift {
		lines = append(lines, "  ✗ "+d.Text)
	}
	for _, n := range r.Notes {
		lines = append(lines, "  ! "+n)
	}
	a.ui.Lines(lines...)
	if len(r.Drift) > 0 {
		a.next(t.Hint(hint.Own("guard", "start", "-H", hint.Machine)))
	}
}

// withoutRules says what dockerd does if the rules cannot be loaded.
func withoutRules(strict bool) string {
	if strict {
		return "does not start (--strict)"
	}
	return "starts without them (--strict prevents that)"
}

func (a *app) guardStopCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "stop [-H HOST]",
		Short: "Open published ports again, and remove guard from the docker host",
		Long: `stop removes the rules, the files and the units, and saves the settings on the docker host:
guard start without flags restores them. Published ports are then open to everyone.`,
		Example: `  docker-vpn-helper guard stop -H local`,
		Args:    a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.changeFilters("guard-stop", a.guardStop)
		},
	}
}

func (a *app) guardStop(session *engine.Session) error {
	t := session.Target
	f, err := guard.Collect(a.ctx, t.Host, a.dockerSocket(t), guard.SkipCgroup)
	if err != nil {
		return a.cannotRead(t, err)
	}
	s, err := f.Settings()
	if err != nil {
		return err
	}
	gone := guard.Removal()
	change := &hostchange.InstallRules{Remove: &gone, Saved: f.Rules.Saved, Plan: "remove guard: published ports are open to everyone"}
	if f.Active() {
		change.Saved = strings.TrimSpace(s.Text())
	}
	var res engine.Result
	off := !f.Active() && !f.Leftovers()
	if !off {
		if res, err = session.Apply(a.ctx, a.hard, []engine.Change{change}); err != nil {
			return err
		}
	}
	switch {
	case a.ui.JSON:
		return a.ui.PrintJSON(guardReport{Schema: engine.Schema, Host: t.Ref.String(), Applied: nonNil(res.Applied), Journal: res.Journal, Settings: listed(s), Notes: []string{}})
	case off:
		a.ui.Success("[%s] guard is already off", t.Name())
	default:
		a.ui.Success("[%s] guard is off: published ports are open to everyone; guard start restores the settings", t.Name())
	}
	return nil
}
