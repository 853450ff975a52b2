package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const guardLong = `Docker publishes ports on every interface, past ufw and firewalld. guard closes published
ports to the public interfaces of a docker host, but for those that are allowed: over IPv4
and IPv6, docker-proxy included, from before the first container starts at a boot. Other
interfaces, the docker host's own services, and what containers ask for are left alone.

What is needed stays on the docker host: a POSIX script, its rules and a drop-in of
docker.service (boot2docker: a line in bootsync.sh). guard stop removes all of it.

Over SSH a change is reverted by itself unless a new connection confirms it.`

func (a *app) guardCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Close published ports to the public, but for those that are allowed",
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
		Short: "Keep the change that would be reverted by itself",
		Long: `confirm makes the last change of guard last. Run it over a new SSH connection: that you can
make one is what is confirmed.`,
		Example: `  docker-vpn-helper guard confirm -H local`,
		Args:    a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.onFilters(func(_ site, t *target.Target) error {
				if err := hostrules.Confirm(a.ctx, t.Host, guard.Name, ""); errors.Is(err, hostrules.ErrNotPending) {
					return err
				} else if err != nil {
					return a.unread(t, err)
				}
				return a.printConfirmed(t, "guard stays as it is")
			})
		},
	}
}
