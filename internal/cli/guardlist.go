package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) guardAllowCmd() *cobra.Command {
	o := guardFlags{}
	cmd := &cobra.Command{
		Use:   "allow PORT[/udp]... [-H HOST]",
		Short: "Open published ports to the public",
		Long:  `allow adds ports to those that guard leaves open. It replaces a port that is already in the list.`,
		Example: `  docker-vpn-helper guard allow 8080 -H local
  docker-vpn-helper guard allow 5432 --from 198.51.100.0/24 -H local`,
		Args: a.somePorts,
		RunE: func(cmd *cobra.Command, args []string) error {
			ports, err := a.guardPorts(args, o.from)
			if err != nil {
				return err
			}
			return a.editGuard(cmd, "guard-allow", &o, func(s guard.Settings) (guard.Settings, error) { return s.With(ports), nil })
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "", "open them only to clients in `CIDR`")
	o.registerChange(cmd)
	return cmd
}

func (a *app) guardDenyCmd() *cobra.Command {
	o := guardFlags{}
	cmd := &cobra.Command{
		Use:     "deny PORT[/udp]... [-H HOST]",
		Short:   "Close published ports to the public again",
		Long:    `deny removes ports from those that guard leaves open. Connections to them stall at once.`,
		Example: `  docker-vpn-helper guard deny 8080 -H local`,
		Args:    a.somePorts,
		RunE: func(cmd *cobra.Command, args []string) error {
			ports, err := a.guardPorts(args, "")
			if err != nil {
				return err
			}
			return a.editGuard(cmd, "guard-deny", &o, func(s guard.Settings) (guard.Settings, error) {
				s, unknown := s.Without(ports)
				if len(unknown) > 0 {
					return s, &exitError{code: exitProblems, message: unknown[0].String() + " is not allowed, so it is already closed", hint: hint.Own("guard", "status", "-H", hint.Machine)}
				}
				return s, nil
			})
		},
	}
	o.registerChange(cmd)
	return cmd
}

// editGuard changes the settings. guard must be on.
func (a *app) editGuard(cmd *cobra.Command, command string, o *guardFlags, edit func(guard.Settings) (guard.Settings, error)) error {
	if err := a.checkWithin(o.within, cmd.Flags().Changed("confirm-within")); err != nil {
		return err
	}
	return a.changeGuard(command, o, func(t *target.Target, f *guard.Facts) (guard.Settings, error) {
		if !f.Active() {
			return guard.Settings{}, &exitError{code: exitProblems, message: "guard is off on " + t.Name(), hint: t.Hint(hint.Own("guard", "start", "-H", hint.Machine, "--public", guard.Auto))}
		}
		s, err := f.Settings()
		if err == nil {
			s, err = edit(s)
		}
		var e *exitError
		if errors.As(err, &e) {
			e.hint = t.Hint(slices.Clone(e.hint))
		}
		return s, err
	})
}
