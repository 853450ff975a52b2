package cli

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

func (a *app) completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script for a shell",
		Long: `completion prints a script that completes commands, flags, machine names and
finding codes. make install installs it;
otherwise write it where the shell looks for such scripts.`,
		Example: `  eval "$(docker-vpn-helper completion bash)"
  docker-vpn-helper completion zsh > ~/.zfunc/_docker-vpn-helper   # with fpath+=~/.zfunc in ~/.zshrc
  docker-vpn-helper completion fish > ~/.config/fish/completions/docker-vpn-helper.fish
  docker-vpn-helper completion powershell | Out-String | Invoke-Expression`,
		Args: func(_ *cobra.Command, args []string) error {
			switch want := strings.Join(shells, ", "); {
			case len(args) == 0:
				return misused(a.again("bash"), "completion takes one of %s", want)
			case !slices.Contains(shells, args[0]):
				return misused(a.nearestOf(args[0], shells, a.corrected(args[0], "zsh")), "completion takes one of %s, not %q", want, args[0])
			case len(args) > 1:
				return misused(a.without(args[1:]...), "completion takes one of %s, not %s", want, strings.Join(args, " "))
			}
			return nil
		},
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			var script bytes.Buffer
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, true)
				script.WriteString(bashAlone)
			case "zsh":
				err = root.GenZshCompletion(&script)
			case "fish":
				err = root.GenFishCompletion(&script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&script)
			}
			if err != nil {
				return err
			}
			if a.ui.JSON {
				return a.ui.PrintJSON(struct {
					Schema int    `json:"schema"`
					Shell  string `json:"shell"`
					Script string `json:"script"`
				}{engine.Schema, args[0], script.String()})
			}
			a.ui.Print(script.String())
			return nil
		},
	}
}

// bashAlone replaces the only function of the package bash-completion that cobra's script calls. It
// is for shells without that package, such as macOS's own bash 3.2. Like the original, it rejoins
// words that bash has split at = and :.
const bashAlone = `
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    _get_comp_words_by_ref()
    {
        local i glue=""
        words=() cword=0
        for ((i = 0; i <= COMP_CWORD; i++)); do
            if [[ ${COMP_WORDS[i]} == [=:] && i -gt 0 ]]; then
                words[cword - 1]+=${COMP_WORDS[i]} glue=yes
            elif [[ -n $glue ]]; then
                words[cword - 1]+=${COMP_WORDS[i]} glue=""
            else
                words[cword++]=${COMP_WORDS[i]}
            fi
        done
        cword=$((cword - 1))
        cur=${words[cword]} prev=${words[cword > 0 ? cword - 1 : 0]}
    }
fi
`

// completing reports whether a completion script runs this program.
func (a *app) completing() bool {
	return len(a.args) > 0 && (a.args[0] == cobra.ShellCompRequestCmd || a.args[0] == cobra.ShellCompNoDescRequestCmd)
}

// complete adds completion to every command that takes a machine or a docker host, and to every
// flag that takes one of a few words.
func (a *app) complete(cmd *cobra.Command) {
	if any := strings.Contains(cmd.Use, "[HOST]"); (any || strings.Contains(cmd.Use, "[MACHINE]")) && cmd.ValidArgsFunction == nil {
		complete := a.completeMachines
		if any && !(cmd.HasParent() && cmd.Parent().Name() == "ports") { // these do not take local
			complete = a.completeHosts
		}
		cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return beginning(complete(), begun), cobra.ShellCompDirectiveNoFileComp
		}
	}
	if cmd.Runnable() && cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") }) // descriptions would show the backquotes
	none := func() []string { return nil }
	for flag, words := range map[string]func() []string{
		"shell":   shell.Names,
		"color":   func() []string { return []string{string(ui.Auto), string(ui.Always), string(ui.Never)} },
		"host":    a.completeHosts,
		"from":    func() []string { return completeFrom(cmd) },
		"timeout": none, "port": none, // neither takes a file
	} {
		if cmd.LocalNonPersistentFlags().Lookup(flag) == nil && cmd.PersistentFlags().Lookup(flag) == nil {
			continue
		}
		// It fails if the command has registered its own completion, which then stays.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			return beginning(words(), begun), cobra.ShellCompDirectiveNoFileComp
		})
	}
	for _, sub := range cmd.Commands() {
		a.complete(sub)
	}
}

// completeFrom returns the words that --from of a command takes. Addresses are not completed.
func completeFrom(cmd *cobra.Command) []string {
	if cmd.Name() == "reach" {
		return []string{"public", "lan", "local"}
	}
	return nil
}

// completeHosts returns the machines and local. It omits ssh:// and the like, because bash splits
// words at a colon.
func (a *app) completeHosts() []string { return append(a.completeMachines(), "local") }

// completeMachines returns the names of the machines in the store, or none if the store cannot be
// read: the shell would not show the error.
func (a *app) completeMachines() []string {
	s, err := a.site()
	if err != nil {
		return nil
	}
	names, err := s.store.Names(a.ctx)
	if err != nil {
		return nil
	}
	return names
}

// beginning returns the words that begin with what the user has typed.
func beginning(words []string, begun string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, begun) })
}
