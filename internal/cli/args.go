package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// oneMachine allows at most one argument.
func (a *app) oneMachine(cmd *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return misused(a.without(args[1:]...), "%s takes one machine, not %s", cmd.Name(), strings.Join(args, " "))
}

// oneHost allows at most one argument, a HOST.
func (a *app) oneHost(cmd *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return misused(a.nearestOf(args[0], subcommandsOf(cmd), a.without(args[1:]...)), "%s takes one docker host, not %s", cmd.Name(), strings.Join(args, " "))
}

func (a *app) noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misused(a.without(args...), "%s takes no argument, not %q", cmd.Name(), args[0])
}

// noMachine is the wrong usage of a flag that is about no machine or about all of them.
func (a *app) noMachine(flag string, args []string) error {
	return misused(a.without(append([]string{"-H", "--host", a.host}, args...)...), "%s takes no machine", flag)
}
