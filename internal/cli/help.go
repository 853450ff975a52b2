package cli

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

func (a *app) helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if about, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range about.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name())
					}
				}
			}
			return beginning(names, begun), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return a.unknownHelp(about, rest, args)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// help is cobra's, printed as every result is.
func (a *app) help(text func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		var b bytes.Buffer
		out := cmd.OutOrStdout()
		cmd.SetOut(&b)
		cmd.Long = reflowed(cmd.Long, a.ui.Columns())
		text(cmd, args)
		cmd.SetOut(out)
		if !a.ui.JSON {
			a.ui.Print(b.String())
			return
		}
		if err := a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Help   string `json:"help"`
		}{engine.Schema, b.String()}); err != nil {
			a.code = a.report(err)
		}
	}
}

// maxHelp is the widest that help's prose gets.
const maxHelp = 90

// reflowed breaks the paragraphs of a text anew for the screen's width. Indented lines stay.
func reflowed(text string, columns int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = strings.Join(ui.Wrap(strings.Join(strings.Fields(p), " "), min(columns, maxHelp)), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// unknownHelp is the error for help of a command that does not exist. unknown is what is left
// of the words typed when the command parent was found.
func (a *app) unknownHelp(parent *cobra.Command, unknown, typed []string) error {
	if len(unknown) == 0 {
		unknown = typed
	}
	var names []string
	for _, sub := range parent.Commands() {
		names = append(names, sub.Name())
	}
	return misused(a.nearestOf(unknown[0], names, a.helpOf(parent)), "unknown command %q", strings.Join(typed, " "))
}
