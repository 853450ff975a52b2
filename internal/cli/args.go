package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// oneMachine returns an error if a command that takes a MACHINE got more than one argument.
func (a *app) oneMachine(cmd *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return misused(a.without(args[1:]...), "%s takes one machine, not %s", cmd.Name(), strings.Join(args, " "))
}

// oneHost returns an error if a command that takes a HOST got more than one argument.
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

// noMachine returns the error that a flag allows no machine, because it concerns all of them or
// none.
func (a *app) noMachine(flag string, args []string) error {
	return misused(a.without(append([]string{"-H", "--host", a.host}, args...)...), "%s takes no machine", flag)
}
