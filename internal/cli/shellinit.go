package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// startupLine is what shell-init --json prints.
type startupLine struct {
	Schema int    `json:"schema"`
	Shell  string `json:"shell"`
	File   string `json:"file"`
	Line   string `json:"line"`
}

func (a *app) shellInitCmd() *cobra.Command {
	var shellName string
	cmd := &cobra.Command{
		Use:   "shell-init [MACHINE]",
		Short: "Print the line for a shell's rc file that sets DOCKER_* in new terminals",
		Long: `shell-init prints one line for the shell's startup file. It sets DOCKER_* in every new
terminal to the endpoint that the last fix verified, without asking VirtualBox or the
network; before the first fix it does nothing. The file to add it to is printed on stderr.
To undo it, remove the line.`,
		Example: `  docker-vpn-helper shell-init default >> ~/.zshrc
  docker-vpn-helper shell-init default --shell fish >> ~/.config/fish/config.fish`,
		Args: a.oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			if shellName == "" && len(args) == 1 && a.meansShell(s, args[0]) {
				shellName, args = args[0], nil
			}
			dialect, err := a.shell(s, shellName)
			if err != nil {
				return err
			}
			name, err := a.machineName(s, args)
			if err != nil {
				return err
			}
			m, err := s.store.Load(a.ctx, name)
			var missing *store.NotFoundError
			planned := len(args) == 0 && errors.As(err, &missing)
			if planned {
				m, err = dockermachine.Planned(name, s.store.Dir()), nil // until the machine exists, the line does nothing
			}
			if err != nil {
				return err
			}
			line, file, err := shell.Startup(dialect, s.laptop.OS() == host.Darwin, m.RecordPath(), a.inNewTerminal(m.StoreDir, "env", "--no-verify", name))
			if err != nil && shellName != "" {
				return misused(a.helpOf(cmd), "%v", err)
			} else if err != nil {
				return err
			}
			if a.ui.JSON {
				return a.ui.PrintJSON(startupLine{engine.Schema, string(dialect), file, line})
			}
			a.ui.Print(line)
			a.ui.Say("this line belongs in %s", file)
			if planned {
				a.ui.Say("%v: until fix has verified one, the line does nothing", missing)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&shellName, "shell", "", shellUsage)
	return cmd
}

// inNewTerminal returns a command of this program for a new terminal, where the variables that name
// the store may not be set.
func (a *app) inNewTerminal(storeDir string, args ...string) shell.Usage {
	usage := shell.Usage{"docker-vpn-helper"}
	if a.storage != "" || a.Getenv("MACHINE_STORAGE_PATH") != "" {
		usage = append(usage, "-s", storeDir)
	}
	return append(usage, args...)
}

// meansShell reports whether an argument is a shell's name rather than a machine's. Similar
// commands of other programs take a shell as argument.
func (a *app) meansShell(s site, arg string) bool {
	_, err := shell.Parse(arg)
	var missing *store.NotFoundError
	_, notThere := s.store.Load(a.ctx, arg)
	return err == nil && errors.As(notThere, &missing)
}
