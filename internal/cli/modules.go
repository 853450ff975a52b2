package cli

import (
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
)

func (a *app) modulesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "modules COMMAND",
		Short: "Restart VirtualBox's kernel modules",
		Args:  a.unknownSubcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var stopVMs bool
	restart := &cobra.Command{
		Use:   "restart",
		Short: "Restart VirtualBox's kernel modules, with no VM running",
		Long: `Restart VirtualBox's kernel modules, which brings back host-only adapters that
nothing else brings back. Every VM of every user must be stopped first;
--stop-vms saves yours before and resumes them after.`,
		Example: `  docker-vpn-helper modules restart --stop-vms`,
		Args:    a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			return a.restartModules(s, stopVMs)
		},
	}
	restart.Flags().BoolVar(&stopVMs, "stop-vms", false, "save running VMs before, and resume them after")
	cmd.AddCommand(restart)
	return cmd
}

func (a *app) restartModules(s site, stopVMs bool) error {
	session, err := engine.Begin(a.ctx, a.hard, a.modulesJob(s))
	if err != nil {
		return err
	}
	defer session.Close()
	defer session.Target.Enter(mode.Repair())()
	session.Target.StopVMs = stopVMs
	if err := a.noVPN(s, session.Target); err != nil {
		return a.cause(err)
	}
	restart := &vmchange.RestartModules{Again: hint.Own("modules", "restart", "--stop-vms").For(a.storage, "").String()}
	if _, err := session.Apply(a.ctx, a.hard, []engine.Change{restart}); err != nil {
		return err
	}
	if a.ui.JSON {
		saved := []string{}
		for _, vm := range restart.Saved {
			saved = append(saved, vm.Name)
		}
		return a.ui.PrintJSON(struct {
			Schema  int        `json:"schema"`
			Steps   [][]string `json:"steps"`
			Resumed []string   `json:"resumed_vms"`
		}{engine.Schema, restart.Steps, saved})
	}
	a.ui.Success("VirtualBox's kernel modules are restarted")
	return nil
}

// noVPN returns an error if a VPN has the route to a machine in the store, or to the network that
// docker-machine would use for a new one.
func (a *app) noVPN(s site, t *target.Target) error {
	nets := []laptop.Destination{dockermachine.DefaultNetwork()}
	names, err := s.store.Names(a.ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if m, err := s.store.Load(a.ctx, name); err == nil && m.VirtualBox() && m.IP.IsValid() {
			nets = append(nets, laptop.Destination{Addr: m.IP, Laptop: m.HostOnlyCIDR, Adapter: t.VirtualBox.Machine(m).HostOnlyAdapter})
		}
	}
	asked := map[netip.Prefix]bool{}
	for _, n := range nets {
		net, err := n.Addr.Prefix(24)
		if err != nil || asked[net] {
			continue
		}
		asked[net] = true
		vpn, err := t.Network.VPNTakes(a.ctx, n)
		if err != nil {
			return err
		}
		if vpn != "" {
			again := a.again()
			return &useraction.Required{Text: vpn + ": disconnect from the VPN and run again: " + again.String(), Hint: again}
		}
	}
	return nil
}
