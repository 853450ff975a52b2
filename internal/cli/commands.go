package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// command describes a command; build makes it.
type command struct {
	group string   // its heading in help
	names []string // its name, then its aliases
	build func() *cobra.Command
}

// all returns the commands in the order in which help lists them.
func (a *app) all() []command {
	return []command{
		{"repair", []string{"doctor"}, a.doctorCmd},
		{"repair", []string{"fix"}, a.fixCmd},
		{"repair", []string{"undo"}, a.undoCmd},
		{"repair", []string{"env"}, a.envCmd},
		{"repair", []string{"ls", "list"}, a.lsCmd},
		{"repair", []string{"explain"}, a.explainCmd},
		{"repair", []string{"context"}, a.contextCmd},
		{"repair", []string{"cert"}, a.certCmd},
		{"repair", []string{"modules"}, a.modulesCmd},
		{"ports", []string{"ports"}, a.portsCmd},
		{"filters", []string{"reach"}, a.reachCmd},
		{"filters", []string{"allow"}, a.allowCmd},
		{"filters", []string{"deny"}, a.denyCmd},
		{"filters", []string{"guard"}, a.guardCmd},
		{"proxy", []string{"proxy"}, a.proxyCmd},
		{"setup", []string{"shell-init"}, a.shellInitCmd},
		{"setup", []string{"completion"}, a.completionCmd},
		{"setup", []string{"version"}, a.versionCmd},
	}
}

// commands builds only the command that the first argument names, because a shell prompt may be
// waiting for it. If the argument names none, it builds all commands.
func (a *app) commands() []*cobra.Command {
	var built []*cobra.Command
	for _, c := range a.table {
		if len(a.args) > 0 && slices.Contains(c.names, a.args[0]) {
			return []*cobra.Command{c.inGroup()}
		}
		built = append(built, c.inGroup())
	}
	return built
}

// inGroup builds the command and assigns it to its group.
func (c command) inGroup() *cobra.Command {
	cmd := c.build()
	cmd.GroupID = c.group
	return cmd
}

// groups returns the headings in help's list of commands.
func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: "repair", Title: "Repair the connection to dockerd"},
		{ID: "ports", Title: "Published ports on the laptop"},
		{ID: "filters", Title: "Packet filters of the docker host"},
		{ID: "proxy", Title: "Docker API for other programs"},
		{ID: "setup", Title: "Shell and program"},
	}
}
