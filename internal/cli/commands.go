package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// command is one command before it is built.
type command struct {
	names []string // its name, then its aliases
	build func() *cobra.Command
}

// all are the commands, in the order in which help lists their kinds.
func (a *app) all() []command {
	return []command{
		{[]string{"doctor"}, a.doctorCmd},
		{[]string{"fix"}, a.fixCmd},
		{[]string{"undo"}, a.undoCmd},
		{[]string{"env"}, a.envCmd},
		{[]string{"ls", "list"}, a.lsCmd},
		{[]string{"explain"}, a.explainCmd},
		{[]string{"context"}, a.contextCmd},
		{[]string{"cert"}, a.certCmd},
		{[]string{"proxy"}, a.proxyCmd},
		{[]string{"modules"}, a.modulesCmd},
		{[]string{"ports"}, a.portsCmd},
		{[]string{"reach"}, a.reachCmd},
		{[]string{"allow"}, a.allowCmd},
		{[]string{"deny"}, a.denyCmd},
		{[]string{"guard"}, a.guardCmd},
		{[]string{"shell-init"}, a.shellInitCmd},
		{[]string{"completion"}, a.completionCmd},
		{[]string{"version"}, a.versionCmd},
	}
}

// commands builds the one command that the first argument names, because a
// shell prompt may wait for it; else all of them.
func (a *app) commands() []*cobra.Command {
	var built []*cobra.Command
	for _, c := range a.table {
		if len(a.args) > 0 && slices.Contains(c.names, a.args[0]) {
			return []*cobra.Command{c.build()}
		}
		built = append(built, c.build())
	}
	return built
}
