package cli

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) guardStartCmd() *cobra.Command {
	o := guardFlags{}
	cmd := &cobra.Command{
		Use:   "start [-H HOST] [--public IFACE,...|auto] [--allow PORT[/udp],...]",
		Short: "Close published ports to the public interfaces",
		Long: `start closes all published ports on the public interfaces, except for those of --allow. PORT is
the published port, not that inside the container. Without flags start uses the settings that
guard stop has saved; if guard is on, it repairs it.

Ports on which dockerd itself listens (2376, swarm) stay open, and so does the port of the SSH
session in which you run it. Other programs' rules that forward packets to a closed port are
listed.`,
		Example: `  docker-vpn-helper guard start -H local --public auto --allow 80,443
  docker-vpn-helper guard start -H ssh://me@build --public eth0 --allow 5432 --from 198.51.100.0/24
  docker-vpn-helper guard start -H local`,
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.guardStart(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.public, "public", "", "the public `INTERFACES`, or auto for those of the default routes")
	f.StringArrayVar(&o.allow, "allow", nil, "leave published `PORTS` open: 80,443,53/udp")
	f.StringVar(&o.from, "from", "", "leave them open only to clients in `CIDR`")
	f.BoolVar(&o.strict, "strict", false, "do not let dockerd start if the rules cannot be loaded")
	o.registerChange(cmd)
	return cmd
}

// guardStart checks everything that was typed before it asks the docker host.
func (a *app) guardStart(cmd *cobra.Command, o *guardFlags) error {
	changed := cmd.Flags().Changed
	ports, err := a.guardPorts(o.allow, o.from)
	if err != nil {
		return err
	}
	var public []string
	auto := false
	if changed("public") {
		public, auto, err = guard.ParseInterfaces(o.public)
		if err := a.guardUsage(err); err != nil {
			return err
		}
	}
	if changed("from") && !changed("allow") {
		return misused(a.again("--allow", "443"), "--from applies to the ports of --allow, which is missing")
	}
	if err := a.checkWithin(o.within, changed("confirm-within")); err != nil {
		return err
	}
	return a.changeGuard("guard-start", o, func(t *target.Target, f *guard.Facts) (guard.Settings, error) {
		s, err := f.Settings()
		if err == nil && !f.Active() && f.Rules.Saved != "" {
			s, err = guard.ParseSettings(f.Rules.Saved)
		}
		if err != nil {
			return s, err
		}
		if changed("public") {
			s.Public, s.Auto = public, auto
		}
		if changed("allow") {
			s.Allow = nil
			s = s.With(ports)
		}
		if changed("strict") {
			s.Strict = o.strict
		}
		if s.Auto {
			s.Public = f.DefaultInterfaces()
		}
		switch {
		case len(s.Public) == 0 && s.Auto:
			return s, &exitError{code: exitProblems, message: t.Name() + " has no default route: name its public interfaces", hint: a.corrected(guard.Auto, "eth0")}
		case len(s.Public) == 0:
			return s, misused(a.again("--public", guard.Auto), "guard has no saved settings on %s: name the public interfaces with --public, and the ports that stay open with --allow", t.Name())
		}
		return s, nil
	})
}

// guardReport is what the commands that change the rules print with --json.
type guardReport struct {
	Schema  int      `json:"schema"`
	Host    string   `json:"host"`
	Applied []string `json:"applied"`
	Journal string   `json:"journal"`
	// Pending means that the docker host reverts the change unless it is confirmed.
	Pending       bool `json:"pending"`
	ConfirmWithin int  `json:"confirm_within"` // seconds
	guard.Settings
	Method string   `json:"method"`
	Notes  []string `json:"notes"`
}

// changeGuard asks the docker host, and applies the settings that choose returns, or with --dry-run
// prints them.
func (a *app) changeGuard(command string, o *guardFlags, choose func(*target.Target, *guard.Facts) (guard.Settings, error)) error {
	plan := func(t *target.Target) (*guard.Facts, guard.Settings, error) {
		f, err := guard.Collect(a.ctx, t.Host, a.dockerSocket(t), guard.TestCgroup)
		if err != nil {
			return nil, guard.Settings{}, a.cannotRead(t, err)
		}
		if !f.DockerdRuns || !f.Docker {
			return nil, guard.Settings{}, &exitError{code: exitUnknown, message: "no answer from dockerd on " + t.Name() + ", which guard must ask for its networks: " + f.DockerSaid,
				hint: t.Hint(hint.Own("doctor", hint.Machine))}
		}
		s, err := choose(t, f)
		return f, s, err
	}
	if o.dryRun {
		return a.onFilters(func(_ site, t *target.Target) error {
			f, s, err := plan(t)
			if err != nil {
				return err
			}
			return a.printGuardPlan(t, f, s)
		})
	}
	return a.changeFilters(command, func(session *engine.Session) error {
		t := session.Target
		f, s, err := plan(t)
		if err != nil {
			return err
		}
		notes := f.Notes(s)
		a.guardNotes(notes)
		set := f.Set(s)
		change := &hostchange.InstallRules{New: &set, Token: rand.Text(), Plan: "close published ports to " + strings.Join(s.Public, ", ") + ", allowed: " + s.Allows()}
		a.confirmation(t, f.Rules.Session, o.within, change)
		report := guardReport{Schema: engine.Schema, Host: t.Ref.String(), Applied: []string{}, Settings: listed(s), Method: f.Method(), Notes: nonNil(notes)}
		if f.Rules.Pending == nil && f.Rules.Installed.Equal(&set) && len(f.Drift(s)) == 0 {
			change = nil // nothing to do
		} else if err := a.applyGuard(session, change, &report); err != nil {
			return err
		}
		return a.printGuardChange(t, change, report)
	})
}

// applyGuard applies the change, and adds the result to the report.
func (a *app) applyGuard(session *engine.Session, change *hostchange.InstallRules, report *guardReport) error {
	res, err := session.Apply(a.ctx, a.hard, []engine.Change{change})
	if err != nil {
		return err
	}
	report.Applied, report.Journal = nonNil(res.Applied), res.Journal
	report.Pending = change.UserConfirms && change.ConfirmWithin > 0
	if report.Pending {
		report.ConfirmWithin = int(change.ConfirmWithin / time.Second)
	}
	return nil
}

func (a *app) guardNotes(notes []string) {
	if a.ui.JSON {
		return
	}
	for _, n := range notes {
		a.ui.Say("! %s", n)
	}
}

func (a *app) printGuardChange(t *target.Target, change *hostchange.InstallRules, r guardReport) error {
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	what := fmt.Sprintf("published ports are closed to %s (IPv4 and IPv6), allowed: %s", strings.Join(r.Public, ", "), r.Allows())
	switch {
	case change == nil:
		a.ui.Success("[%s] nothing to change: %s", t.Name(), what)
	case r.Pending:
		a.ui.Success("[%s] %s", t.Name(), what)
		a.ui.Say("This will be reverted in %s unless you confirm it over a new SSH connection. Until then a restart of docker leaves IPv6 open.", change.ConfirmWithin)
		a.ui.CommandLine(" ", t.Hint(hint.Own("guard", "confirm", "-H", hint.Machine)).String())
	case change.ConfirmWithin > 0:
		a.ui.Success("[%s] %s; confirmed over a new connection", t.Name(), what)
	default:
		a.ui.Success("[%s] %s", t.Name(), what)
	}
	return nil
}

// printGuardPlan prints the rules, and how they differ from the installed ones.
func (a *app) printGuardPlan(t *target.Target, f *guard.Facts, s guard.Settings) error {
	set, difference := f.Set(s), f.Difference(s)
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Host   string `json:"host"`
			guard.Settings
			Method     string            `json:"method"`
			Files      map[string]string `json:"files"`
			Units      map[string]string `json:"units"`
			Difference []string          `json:"difference"`
			Notes      []string          `json:"notes"`
		}{engine.Schema, t.Ref.String(), listed(s), f.Method(), set.Files, set.Units, nonNil(difference), nonNil(f.Notes(s))})
	}
	a.guardNotes(f.Notes(s))
	lines := []string{"Rules:"}
	for _, name := range guard.RuleFiles() {
		if text, there := set.Files[name]; there {
			lines = append(lines, f.Rules.Dir+"/"+name)
			for line := range strings.Lines(text) {
				lines = append(lines, "    "+strings.TrimSuffix(line, "\n"))
			}
		}
	}
	lines = append(lines, "Difference from the installed rules:")
	for _, line := range difference {
		lines = append(lines, "  "+line)
	}
	if len(difference) == 0 {
		lines = append(lines, "  none")
	}
	a.ui.Lines(lines...)
	return nil
}
