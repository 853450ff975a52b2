package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

type fixFlags struct {
	all, dryRun, create, reissue, stopVMs, acceptHostKey bool
	port                                                 int
	shell                                                string
}

func (a *app) fixCmd() *cobra.Command {
	var f fixFlags
	cmd := &cobra.Command{
		Use:   "fix [MACHINE]",
		Short: "Repair the connection, verify it, and print the shell variables",
		Long: `fix repairs what doctor finds, layer by layer, and verifies the result with a request to
dockerd. It prints the assignments of DOCKER_* for the shell to evaluate. A repair that fails
is rolled back; undo reverts one that has succeeded.

A fix that fails prints no assignments, and eval of nothing succeeds. To go on only after
success: vars="$(docker-vpn-helper fix)" && eval "$vars" && docker ps.

Without MACHINE it is $DOCKER_MACHINE_NAME, else the only machine in the store, else "default".`,
		Example: `  eval "$(docker-vpn-helper fix default)"
  docker-vpn-helper fix --dry-run default
  docker-vpn-helper fix --all --timeout 5m`,
		Args: a.oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("port") && (f.port < 1 || f.port > 65535) {
				return misused(a.corrected(strconv.Itoa(f.port), strconv.Itoa(store.DefaultDaemonPort)), "--port takes a number from 1 to 65535, not %d", f.port)
			}
			if f.all && a.namesHost(args) {
				return a.noMachine("--all", args)
			}
			if f.all && (f.create || cmd.Flags().Changed("port")) {
				return misused(hint.Own("fix", "--all"), "--all takes neither --create nor --port")
			}
			s, err := a.site()
			if err != nil {
				return err
			}
			if f.all {
				return a.fixAll(s, f)
			}
			name, err := a.machineName(s, args)
			if err != nil {
				return err
			}
			return a.fix(s, name, f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.all, "all", false, "repair every machine that runs, and print no shell variables")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the changes without making them")
	fl.BoolVar(&f.create, "create", false, "create the machine if the store has none of that name")
	fl.IntVar(&f.port, "port", 0, "forward `PORT` of 127.0.0.1 if a NAT rule is added (default 2376 or the next free one)")
	fl.BoolVar(&f.reissue, "reissue", false, "reissue the server certificate even if it is valid")
	fl.BoolVar(&f.stopVMs, "stop-vms", false, "save and resume running VMs where kernel modules must be restarted")
	fl.BoolVar(&f.acceptHostKey, "accept-host-key", false, "accept a changed SSH host key")
	fl.StringVar(&f.shell, "shell", "", shellUsage)
	return cmd
}
