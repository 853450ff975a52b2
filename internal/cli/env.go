package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

func (a *app) envCmd() *cobra.Command {
	var shellName string
	var unset, noProxy, noVerify bool
	cmd := &cobra.Command{
		Use:   "env [MACHINE]",
		Short: "Print the shell variables that point docker at the machine",
		Long: `env prints the assignments that point docker at the machine, for the shell to evaluate,
after one handshake with dockerd. If dockerd does not answer it prints nothing, and eval of
nothing succeeds. To go on only after success: vars="$(docker-vpn-helper env)" && eval "$vars".

--shell takes ` + strings.Join(shell.Names(), ", ") + `.

Without MACHINE it is $DOCKER_MACHINE_NAME, else the only machine in the store, else "default".`,
		Example: `  eval "$(docker-vpn-helper env default)"
  docker-vpn-helper env default --shell fish | source`,
		Args: a.oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			dialect, err := a.dialect(s, shellName)
			if err != nil {
				return err
			}
			if unset {
				if a.namesHost(args) {
					return a.noMachine("--unset", args)
				}
				return a.unset(s, dialect, noProxy)
			}
			if noVerify {
				if t, e, ok := a.recorded(s, args); ok {
					return a.printEnv(t, e, dialect, noProxy)
				}
			}
			return a.onMachine(s, args, func(t *target.Target) error { return a.env(t, dialect, noProxy, noVerify) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&shellName, "shell", "", shellUsage)
	f.BoolVarP(&unset, "unset", "u", false, "unset the variables that env set")
	f.BoolVar(&noProxy, "no-proxy", false, "add the endpoint's host to no_proxy; with --unset, remove it")
	f.BoolVar(&noVerify, "no-verify", false, "print the recorded endpoint without checking it; where none is recorded, that of the NAT rule or of config.json")
	return cmd
}

func (a *app) env(t *target.Target, dialect shell.Dialect, noProxy, noVerify bool) error {
	var e endpoint.Endpoint
	if noVerify && !t.Machine.CreateUnfinished {
		e = t.Endpoints.Recorded(a.ctx)
	} else {
		e = t.Endpoints.ForDocker(a.ctx)
		if err := t.Endpoints.Verify(a.ctx, e); err != nil {
			return a.notGood(t, err)
		}
	}
	return a.printEnv(t, e, dialect, noProxy)
}

// recorded returns the machine and its recorded endpoint; ok is false if there is no record. It
// does not read config.json: docker works without it, and parsing it would take a tenth of the time
// that a new terminal waits.
func (a *app) recorded(s site, args []string) (t *target.Target, e endpoint.Endpoint, ok bool) {
	name, err := a.machineName(s, args)
	if err != nil {
		return nil, endpoint.Endpoint{}, false
	}
	m, ok := s.store.Brief(a.ctx, name)
	if !ok {
		return nil, endpoint.Endpoint{}, false
	}
	t = a.target(s, m)
	r, err := t.Endpoints.Record(a.ctx)
	return t, endpoint.Forwarded(r.Port), err == nil
}

func (a *app) printEnv(t *target.Target, e endpoint.Endpoint, dialect shell.Dialect, noProxy bool) error {
	vars, err := t.Endpoints.Environment(a.ctx, e)
	if err != nil {
		return err
	}
	usage := append(a.program(), "env", t.Machine.Name)
	if noProxy {
		vars = append(vars, t.Endpoints.NoProxy(e)...)
		usage = append(usage, "--no-proxy")
	}
	block, err := shell.Render(dialect, vars, usage)
	if err != nil {
		return err
	}
	a.ui.Print(block)
	return nil
}

// notGood returns the error that docker would not work through an endpoint, or that checking the
// endpoint was interrupted.
func (a *app) notGood(t *target.Target, err error) error {
	if a.interrupted() {
		return errInterrupted
	}
	next := hint.Hint{{Argv: append(a.program(), "fix", t.Machine.Name), Eval: true}}
	if errors.Is(err, virtualbox.ErrNotInstalled) {
		next = hint.Explain("machine.virtualbox-missing")
	} else if t.Machine.CreateUnfinished {
		next = t.Hint(hint.CreateAgain(dockermachine.Found(t.Laptop)))
	}
	return &exitError{code: exitProblems, message: a.cause(err).Error(), hint: next}
}

// unset prints commands that unset the variables that env sets. Their earlier values are not known.
// A variable whose value is not from env is left alone.
func (a *app) unset(s site, dialect shell.Dialect, noProxy bool) error {
	ours, others := endpoint.SplitEnv(a.Getenv, s.store.Dir())
	var vars []shell.Var
	for _, name := range ours {
		vars = append(vars, shell.Var{Name: name, Unset: true})
	}
	usage := shell.Usage{"docker-vpn-helper", "env", "--unset"}
	if noProxy {
		usage = append(usage, "--no-proxy")
		if !slices.Contains(others, "DOCKER_HOST") {
			vars = append(vars, endpoint.WithoutNoProxy(a.Getenv)...)
		}
	}
	block, err := shell.RenderUnset(dialect, vars, usage)
	if err != nil {
		return err
	}
	for _, name := range others {
		a.ui.Say("%s stays: docker-vpn-helper env did not set it to %q", name, a.Getenv(name))
	}
	a.ui.Print(block)
	return nil
}
