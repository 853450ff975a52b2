package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	dockercontext "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/context"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) contextCmd() *cobra.Command {
	var wish dockercontext.Wish
	cmd := &cobra.Command{
		Use:   "context [MACHINE]",
		Short: "Create a docker context for the machine's endpoint",
		Long: `context creates or updates a docker context for the machine's endpoint, so
that new terminals and GUI applications find it. Its name is the machine's;
machine-default for the machine default, because docker reserves that name.`,
		Example: `  docker-vpn-helper context default --use
  docker --context "$(docker-vpn-helper context default)" info`,
		Args: a.oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withMachine(args, func(t *target.Target) error {
				if err := a.contexts(t); err != nil {
					return err
				}
				return a.context(siteOf(t), t.Machine.Name, wish)
			})
		},
	}
	cmd.Flags().BoolVar(&wish.Use, "use", false, "make it the current context")
	cmd.Flags().BoolVar(&wish.Force, "force", false, "replace a context that leads elsewhere")
	return cmd
}

// contextReport is what context --json prints.
type contextReport struct {
	Schema   int      `json:"schema"`
	Context  string   `json:"context"`
	Endpoint string   `json:"endpoint"`
	Applied  []string `json:"applied"`
	Journal  string   `json:"journal"`
}

func (a *app) context(s site, name string, wish dockercontext.Wish) error {
	session, err := engine.Begin(a.ctx, a.hard, a.machineJob(s, name, "context", nil))
	if err != nil {
		return err
	}
	defer session.Close()
	t := session.Target
	e := t.Endpoints.ForDocker(a.ctx)
	if err := t.Endpoints.Verify(a.ctx, e); err != nil {
		return a.notGood(t, err)
	}
	wish.Endpoint = e.URL()
	if wish.Ours, err = pointedAt(a.ctx, session); err != nil {
		return err
	}
	res, err := session.Fix(a.ctx, a.hard, layers.Context(wish))
	if err != nil {
		return contextError(err)
	}
	made := dockercli.ContextName(name)
	if a.ui.JSON {
		return a.ui.PrintJSON(contextReport{Schema: engine.Schema, Context: made, Endpoint: e.URL(), Applied: nonNil(res.Applied), Journal: res.Journal})
	}
	if over := outranks(a.Getenv, made); wish.Use && over != "" {
		a.ui.Say("[%s] warn: %s is set in this shell, and outranks the current context: unset %s", t.Machine.Name, over, over)
	}
	a.ui.Print(made + "\n")
	return nil
}

// outranks returns the environment variable that makes docker ignore the current context, or ""
// (docker/cli, cli/command/cli.go, resolveContextName).
func outranks(getenv func(string) string, name string) string {
	if getenv("DOCKER_HOST") != "" {
		return "DOCKER_HOST"
	}
	if c := getenv("DOCKER_CONTEXT"); c != "" && c != name {
		return "DOCKER_CONTEXT"
	}
	return ""
}

// contexts returns an error if the laptop's docker command is missing or has no contexts.
func (a *app) contexts(t *target.Target) error {
	config, err := dockercli.ConfigDir(a.Getenv)
	if err != nil {
		return err
	}
	_, err = t.DockerCLI.Contexts(a.ctx, config)
	var exit *host.CmdError
	switch {
	case errors.Is(err, dockercli.ErrMissing):
		return &exitError{code: exitUserAction, message: err.Error(), hint: hint.Explain("env.client-missing")}
	case errors.As(err, &exit) && strings.Contains(exit.Stderr, "is not a docker command"):
		return &exitError{code: exitUserAction, message: "this docker command has no contexts: it is older than 19.03", hint: hint.Run("docker", "--version")}
	}
	return a.cause(err)
}

// contextError changes the exit code of the error that a context of this name points elsewhere: the
// user must decide whether to replace it.
func contextError(err error) error {
	var verdict *engine.VerdictError
	if errors.As(err, &verdict) && verdict.Finding.Code == "context.taken" {
		return &exitError{code: exitUserAction, message: verdict.Error(), hint: verdict.Finding.Hint}
	}
	return err
}

// pointedAt returns the endpoints to which earlier runs have pointed the machine's context, without
// the runs that were undone.
func pointedAt(ctx context.Context, session *engine.Session) ([]string, error) {
	journals, err := session.Journals(ctx)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, j := range journals {
		for _, e := range j.Entries {
			if c, ok := e.Change.(*laptopchange.SetContext); ok && j.Undoable() && e.Mark == journal.Applied {
				urls = append(urls, c.Endpoint)
			}
		}
	}
	return urls, nil
}
