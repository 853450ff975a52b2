package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// oneMachine allows at most one argument.
func oneMachine(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes one machine, not %s", cmd.Name(), strings.Join(args, " "))
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, not %q", cmd.Name(), args[0])
	}
	return nil
}
