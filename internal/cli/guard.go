package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const guardLong = `Docker publishes ports on every interface, bypassing ufw and firewalld. guard closes a docker
host's published ports on its public interfaces, except for those that are allowed: over IPv4
and IPv6, with docker-proxy, and at boot before the first container starts. It does not
affect other interfaces, the docker host's own services, and connections that containers make.

It installs a POSIX script, rules and a drop-in for docker.service on the docker host (on
boot2docker a line in bootsync.sh). guard stop removes all of them.

Over SSH the docker host reverts a change by itself unless a new connection confirms it.`

func (a *app) guardCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Close published ports to the public, except for those that are allowed",
		Long:  guardLong,
		Example: `  docker-vpn-helper guard start -H local --public auto --allow 80,443
  docker-vpn-helper guard status -H local
  docker-vpn-helper guard stop -H local`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return a.unknownSubcommand(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.guardStartCmd(), a.guardStopCmd(), a.guardStatusCmd(), a.guardAllowCmd(), a.guardDenyCmd(), a.guardConfirmCmd())
	return cmd
}

func (a *app) guardConfirmCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm [-H HOST]",
		Short: "Confirm the last change, so that it is kept",
		Long: `confirm makes the last change of guard permanent. Run it over a new SSH connection, which shows
that you can still make one.`,
		Example: `  docker-vpn-helper guard confirm -H local`,
		Args:    a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.onFilters(func(_ site, t *target.Target) error {
				if err := hostrules.Confirm(a.ctx, t.Host, guard.Name, ""); errors.Is(err, hostrules.ErrNotPending) {
					return err
				} else if err != nil {
					return a.cannotRead(t, err)
				}
				return a.printConfirmed(t, "guard stays as it is")
			})
		},
	}
}
