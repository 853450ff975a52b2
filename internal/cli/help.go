package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
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
				return a.unknownCommand(cmd.Root(), strings.Join(args, " "))
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

// unknownCommand is wrong usage; what was meant, if that can be told, is the hint,
// with the rest of the command line as it was.
func (a *app) unknownCommand(root *cobra.Command, name string) error {
	var meant hint.Hint
	likes := root.SuggestionsFor(name)
	slices.SortStableFunc(likes, func(a, b string) int { // what was only begun, before what was mistyped
		return cmp.Compare(strings.Index(b, name), strings.Index(a, name))
	})
	for _, like := range likes {
		line := append([]string{"docker-vpn-helper"}, a.args...)
		if at := slices.Index(line, name); at > 0 {
			line[at] = like
		} else {
			line = []string{"docker-vpn-helper", like}
		}
		meant = meant.Then("", hint.Run(line...))
	}
	if len(meant) == 0 {
		meant = hint.Run("docker-vpn-helper", "--help")
	}
	return &exitError{code: exitUsage, message: fmt.Sprintf("unknown command %q", name), hint: meant}
}
