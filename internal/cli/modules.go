package cli

import (
	"errors"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

func (a *app) modulesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "modules COMMAND",
		Short: "Restart VirtualBox's kernel modules",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("modules takes restart, not %q", args[0])
			}
			return usage("modules takes restart")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var stopVMs bool
	restart := &cobra.Command{
		Use:   "restart",
		Short: "Restart VirtualBox's kernel modules, with no VM running",
		Long: `Restart VirtualBox's kernel modules, which brings back host-only adapters that
nothing else brings back. Every VM of every user has to be stopped for it; with
--stop-vms yours are saved before and resumed after.`,
		Example: `  docker-vpn-helper modules restart --stop-vms`,
		Args:    noArgs,
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
	w := a.withoutMachine(s)
	w.StopVMs, w.Patience = stopVMs, fixPatience
	unlock, err := a.aloneWithModules(s)
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.rollBackRestarts(s, w); err != nil {
		return err
	}
	if err := a.noVPN(s, w); err != nil {
		return a.cause(err)
	}
	restart := &changes.RestartModules{Again: w.Program + " modules restart --stop-vms"}
	j := stack.NewJournal(s.laptop, modulesJournals(s), stack.Header{Command: "modules", Store: s.dir, Started: a.Now()})
	_, err = stack.Apply(a.ctx, a.hard, w, []world.Change{restart}, j, a.sink())
	if err != nil {
		return a.cause(err)
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
		}{stack.Schema, restart.Steps, saved})
	}
	a.ui.Say("VirtualBox's kernel modules are restarted")
	return nil
}

func modulesJournals(s site) string {
	return filepath.Join(world.StoreState(s.state, s.dir), "modules", "journal")
}

func (a *app) aloneWithModules(s site) (unlock func(), err error) {
	unlock, err = s.laptop.Lock(a.ctx, filepath.Join(filepath.Dir(modulesJournals(s)), "lock"), func() {
		a.ui.Say("waiting for another docker-vpn-helper that restarts the modules")
	})
	return unlock, a.cause(err)
}

// resumeRestarts finishes the story of a modules restart that was killed: it has left
// VMs saved, perhaps those of other machines.
func (a *app) resumeRestarts(s site) error {
	all, err := stack.Journals(a.ctx, s.laptop, modulesJournals(s), changes.Decode)
	if err == nil && !slices.ContainsFunc(all, (*stack.Journal).Unfinished) {
		return nil
	}
	unlock, err := a.aloneWithModules(s)
	if err != nil {
		return err
	}
	defer unlock()
	w := a.withoutMachine(s)
	w.Patience = fixPatience
	return a.rollBackRestarts(s, w)
}

func (a *app) rollBackRestarts(s site, w *world.World) error {
	all, err := stack.Journals(a.ctx, s.laptop, modulesJournals(s), changes.Decode)
	if err != nil {
		return &exitError{code: exitIncomplete, message: err.Error(), hint: "VBoxManage list vms --long"}
	}
	for _, j := range all {
		if !j.Unfinished() {
			continue
		}
		a.ui.Say("an earlier modules restart did not finish: taking it back first")
		if _, err := j.Revert(a.ctx, w, stack.RolledBack, a.sink()); err != nil {
			return &stack.RollbackError{Err: errors.New("an earlier run did not finish"), Left: err, Journal: j.Path}
		}
	}
	return nil
}

// noVPN is nil if no VPN has the route to a machine of the store, or to the
// network that docker-machine would choose for a new one.
func (a *app) noVPN(s site, w *world.World) error {
	nets := []laptop.HostOnly{dockermachine.DefaultNetwork()}
	names, err := s.store.Names(a.ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if m, err := s.store.Load(a.ctx, name); err == nil && m.VirtualBox() && m.IP.IsValid() {
			nets = append(nets, laptop.HostOnly{Addr: m.IP, Laptop: m.HostOnlyCIDR, Adapter: w.VirtualBox.Machine(m).HostOnlyAdapter})
		}
	}
	asked := map[netip.Prefix]bool{}
	for _, n := range nets {
		net, err := n.Addr.Prefix(24)
		if err != nil || asked[net] {
			continue
		}
		asked[net] = true
		vpn, err := w.Network.VPNTakes(a.ctx, n)
		if err != nil {
			return err
		}
		if vpn != "" {
			again := a.again()
			return &useraction.Required{Text: vpn + ": disconnect from the VPN and run again: " + again, Hint: again}
		}
	}
	return nil
}
