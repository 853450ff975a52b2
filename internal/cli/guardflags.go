package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
)

// guardFlags are the flags of guard's subcommands. Each has some of them.
type guardFlags struct {
	public, from string
	allow        []string
	strict       bool
	within       time.Duration
	dryRun       bool
}

// registerChange registers the flags of every command that changes the rules.
func (o *guardFlags) registerChange(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.within, "confirm-within", 0, "revert the change unless confirmed within `DURATION` (default 60s over SSH)")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the rules and what would change, but change nothing")
}

func (a *app) somePorts(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return misused(a.again("8080"), "guard %s takes at least one port", cmd.Name())
}

// guardPorts reads ports. A syntax error is wrong usage.
func (a *app) guardPorts(texts []string, from string) ([]guard.Port, error) {
	ports, err := guard.ParsePorts(texts, from)
	return ports, a.guardUsage(err)
}

// guardUsage turns a syntax error into wrong usage, and returns other errors unchanged.
func (a *app) guardUsage(err error) error {
	var wrong *guard.SyntaxError
	if errors.As(err, &wrong) {
		return misused(a.helpOf(a.cmd), "%v", wrong)
	}
	return err
}
