package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/service"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

func (a *app) portsOnCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "on [HOST]",
		Short: "Keep published ports on localhost from now on, by a login service",
		Long: `on runs ports follow as a login service: a launchd agent on macOS, a systemd user unit on Linux.
It starts now and at every login, without sudo. ports off ends it, and so does undo.`,
		Example: `  docker-vpn-helper ports on default`,
		Args:    a.oneHost,
		RunE:    func(_ *cobra.Command, args []string) error { return a.onFollowed(args, a.portsOn) },
	}
}

func (a *app) portsOffCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "off [HOST]",
		Short:   "End the login service of ports on",
		Example: `  docker-vpn-helper ports off default`,
		Args:    a.oneHost,
		RunE:    func(_ *cobra.Command, args []string) error { return a.onFollowed(args, a.portsOff) },
	}
}

func (a *app) portsStatusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status [HOST]",
		Short: "Show whether published ports are kept on localhost, and since when",
		Long: `status shows what keeps a docker host's published ports on localhost: since when, how many, and
its last problem.`,
		Example: `  docker-vpn-helper ports status default`,
		Args:    a.oneHost,
		RunE:    func(_ *cobra.Command, args []string) error { return a.onFollowed(args, a.portsStatus) },
	}
}

// onFollowed opens a docker host whose ports can be followed.
func (a *app) onFollowed(args []string, do func(site, *target.Target) error) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	return a.onHost(s, args, func(t *target.Target) error { return do(s, t) }, followKinds()...)
}

// portsService returns the login service of a docker host.
func (a *app) portsService(t *target.Target) (*laptopchange.SwitchService, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own file: %w", err)
	}
	program = service.Stable(program, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
	argv := []string{program, "ports", "follow", "--service", t.Ref.Arg()}
	var env []string
	for _, key := range []string{"PATH", "MACHINE_STORAGE_PATH", "XDG_STATE_HOME", "DOCKER_CONFIG", "SSH_AUTH_SOCK"} {
		if value := a.Getenv(key); value != "" {
			env = append(env, key+"="+value)
		}
	}
	if a.storage != "" {
		dir, err := filepath.Abs(a.storage)
		if err != nil {
			return nil, fmt.Errorf("store %s: %w", a.storage, err)
		}
		argv = append([]string{program, "-s", dir}, argv[1:]...)
	}
	d := service.Service{Name: laptopchange.PortsServiceName(t), What: "docker-vpn-helper: published ports of " + t.Ref.Arg(), Argv: argv, Env: env,
		Home: a.Getenv("HOME"), UID: os.Getuid()}.For(t.Laptop.OS())
	return &laptopchange.SwitchService{File: d.Path, Text: d.Text, Start: d.Start, Stop: d.Stop, Log: d.Log}, nil
}

func (a *app) portsOn(s site, t *target.Target) error {
	if loginOf(t) == nil {
		return a.noSSH(t)
	}
	run, running := follow.Current(a.ctx, t.Laptop, t.State())
	switch {
	case running && run.Service:
		return a.switched(t, engine.Result{}, "already served by the login service")
	case running:
		return &exitError{code: exitProblems, message: fmt.Sprintf("%s: ports follow is running (PID %d); end it first", named(t), run.PID),
			hint: hint.Run("kill", fmt.Sprint(run.PID))}
	}
	c, err := a.portsService(t)
	if err != nil {
		return err
	}
	c.On = true
	return a.switchService(s, t, "ports-on", c, "published ports are on localhost from now on")
}

func (a *app) portsOff(s site, t *target.Target) error {
	if err := a.sweepPorts(t); err != nil {
		return err
	}
	c, err := a.portsService(t)
	if err != nil {
		return err
	}
	text, err := t.Laptop.ReadFile(a.ctx, c.File)
	run, running := follow.Current(a.ctx, t.Laptop, t.State())
	switch {
	case errors.Is(err, fs.ErrNotExist) && running && !run.Service:
		return &exitError{code: exitProblems, message: fmt.Sprintf("%s: there is no login service, but ports follow is running (PID %d)", named(t), run.PID),
			hint: hint.Run("kill", fmt.Sprint(run.PID))}
	case errors.Is(err, fs.ErrNotExist):
		return a.switched(t, engine.Result{}, "there is no login service")
	case err != nil:
		return err
	}
	c.Text = string(text)
	return a.switchService(s, t, "ports-off", c, "the login service is off")
}

func (a *app) switchService(s site, t *target.Target, command string, c *laptopchange.SwitchService, done string) error {
	job := a.hostJob(s, t.Ref, t.State(), command, nil)
	if t.Kind == target.Machine {
		job = a.machineJob(s, t.Machine.Name, command, nil)
	}
	session, err := engine.Begin(a.ctx, a.hard, job)
	if err != nil {
		return err
	}
	defer session.Close()
	res, err := session.Apply(a.ctx, a.hard, []engine.Change{c})
	if err != nil {
		return err
	}
	return a.switched(t, res, done)
}

func (a *app) switched(t *target.Target, res engine.Result, done string) error {
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema  int      `json:"schema"`
			Host    string   `json:"host"`
			Applied []string `json:"applied"`
			Journal string   `json:"journal"`
		}{engine.Schema, t.Ref.String(), nonNil(res.Applied), res.Journal})
	}
	a.ui.Success("[%s] %s", t.Name(), done)
	return nil
}

func (a *app) portsStatus(_ site, t *target.Target) error {
	run, served := follow.Current(a.ctx, t.Laptop, t.State())
	if !served {
		a.code, run = exitProblems, follow.Status{Ports: []follow.Forward{}} // not what a killed run has left
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Host   string `json:"host"`
			Served bool   `json:"served"`
			follow.Status
		}{engine.Schema, t.Ref.String(), served, run})
	}
	if !served {
		a.ui.Say("[%s] published ports are not kept on localhost", t.Name())
		a.next(t.Hint(hint.Own("ports", "on", hint.Machine)))
		return nil
	}
	by := fmt.Sprintf("ports follow (PID %d)", run.PID)
	if run.Service {
		by = fmt.Sprintf("the login service (PID %d)", run.PID)
	}
	fields := []ui.Field{{Name: "served by", Text: by}, {Name: "since", Text: run.Since.Local().Format(time.DateTime)}, {Name: "ports", Text: fmt.Sprint(len(run.Ports))}}
	if run.Problem != "" {
		fields = append(fields, ui.Field{Name: "last problem", Text: run.ProblemAt.Local().Format(time.DateTime) + " " + run.Problem})
	}
	a.ui.Fields(fields)
	return nil
}
