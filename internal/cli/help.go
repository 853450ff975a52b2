package cli

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
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

// help returns cobra's help function, changed so that it prints as all results are printed: with
// --json as JSON, and wrapped for the screen.
func (a *app) help(text func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		if err := a.misnamed(cmd, cmd.Flags().Args()); err != nil {
			a.code = a.report(err)
			return
		}
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

// misnamed returns an error if help was requested with a word that is neither a subcommand nor a
// docker host.
func (a *app) misnamed(cmd *cobra.Command, words []string) error {
	if len(words) == 0 || !cmd.HasSubCommands() {
		return nil
	}
	err := cmd.ValidateArgs(words)
	if err != nil || slices.Contains(a.completeMachines(), words[0]) || target.HasExplicitForm(words[0]) {
		return err
	}
	return misused(a.nearestOf(words[0], subcommandsOf(cmd), a.helpOf(cmd)), "%s has no subcommand %q, and no docker host has that name", cmd.Name(), words[0])
}

// maxHelp is the maximum width of the paragraphs of help, in columns.
const maxHelp = 90

// reflowed wraps the paragraphs of a text for the width of the screen. Indented lines stay as they
// are.
func reflowed(text string, columns int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = strings.Join(ui.Wrap(strings.Join(strings.Fields(p), " "), min(columns, maxHelp)), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// unknownHelp returns the error for help on a command that does not exist. parent is the nearest
// command that exists, and unknown are the words after it.
func (a *app) unknownHelp(parent *cobra.Command, unknown, typed []string) error {
	if len(unknown) == 0 {
		unknown = typed
	}
	return misused(a.nearestOf(unknown[0], subcommandsOf(parent), a.helpOf(parent)), "unknown command %q", strings.Join(typed, " "))
}
