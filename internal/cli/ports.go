package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

func (a *app) portsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ports [HOST]",
		Short: "List published ports and where the laptop reaches them",
		Long: `ports lists the published ports of all running containers: where each one listens on the
docker host, and where the laptop reaches it. Nothing is changed.`,
		Example: `  docker-vpn-helper ports default
  docker-vpn-helper ports ssh://me@build
  docker-vpn-helper ports --json default`,
		Args: a.oneHost,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			return a.onHost(s, args, a.ports, target.AllKinds()...)
		},
	}
	cmd.AddCommand(a.portsFollowCmd(), a.portsOnCmd(), a.portsOffCmd(), a.portsStatusCmd(), a.portsAddCmd(), a.portsRmCmd())
	return cmd
}

// portRow is one published port of ports --json.
type portRow struct {
	Container string `json:"container"`
	Protocol  string `json:"protocol"` // "" if docker lists no ports
	HostIP    string `json:"host_ip"`
	HostPort  int    `json:"host_port"`
	Reach     string `json:"reach"`  // "localhost:8080"; "" if the laptop does not reach it
	Reason    string `json:"reason"` // why it does not
}

func (a *app) ports(t *target.Target) error {
	ctx, cancel := context.WithTimeout(a.ctx, doctorTime)
	defer cancel()
	published, err := a.published(ctx, t)
	if err != nil {
		return err
	}
	ways := waysTo(ctx, t)
	rows, away := make([]portRow, 0, len(published)), false
	for _, p := range published {
		row := portRow{Container: p.Container, Protocol: p.Protocol, HostPort: p.HostPort}
		if p.HostIP.IsValid() {
			row.HostIP = p.HostIP.String()
		}
		row.Reach, row.Reason = ways.Reach(p)
		away = away || row.Reach == "" && p.Obstacle == ""
		rows = append(rows, row)
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int       `json:"schema"`
			Host   string    `json:"host"`
			Ports  []portRow `json:"ports"`
		}{engine.Schema, t.Ref.String(), rows})
	}
	if len(rows) == 0 {
		a.ui.Say("[%s] no running container publishes a port", t.Name())
		a.sayAdded(ctx, t)
		return nil
	}
	table := make([][]string, len(rows))
	for i, r := range rows {
		port := "-"
		if r.Protocol != "" {
			port = strconv.Itoa(r.HostPort) + "/" + r.Protocol
		}
		reach := r.Reach
		if reach == "" {
			reach = "- (" + r.Reason + ")"
		}
		table[i] = []string{r.Container, port, dash(r.HostIP), reach}
	}
	a.ui.Table([]string{"CONTAINER", "PORT", "LISTENS ON", "REACH"}, table)
	a.sayAdded(ctx, t)
	return nil
}

// sayAdded prints the NAT rules that ports add has added. They forward to ports of the VM, whether a
// container publishes these or not.
func (a *app) sayAdded(ctx context.Context, t *target.Target) {
	if t.Kind != target.Machine || !t.Machine.VirtualBox() {
		return
	}
	vm, _ := t.VM.Info(ctx) // if that fails, the table has the reason
	for _, f := range vm.Forwards {
		if strings.HasPrefix(f.Name, ports.AddedPrefix) {
			a.ui.Say("[%s] ports add: %s", t.Name(), describeForward(f))
		}
	}
}

// published asks dockerd for the published ports. If the machine is off, or dockerd does not answer,
// the error has exit status 4.
func (a *app) published(ctx context.Context, t *target.Target) ([]ports.Published, error) {
	if t.Kind == target.Machine {
		if running, err := t.VM.Running(ctx); err == nil && !running {
			text := fmt.Sprintf("machine %q is not running (%s)", t.Machine.Name, cmp.Or(t.VM.StateText(ctx), "unknown"))
			return nil, &exitError{code: exitUnknown, message: text, hint: t.StartHint(ctx)}
		}
	}
	list, err := t.API().Containers(ctx)
	switch {
	case a.interrupted():
		return nil, errInterrupted
	case err != nil:
		text := fmt.Sprintf("listing the containers of %s: %v", named(t), err)
		return nil, &exitError{code: exitUnknown, message: text, hint: t.Hint(hint.Own("doctor", hint.Machine))}
	}
	return ports.Of(list), nil
}

// waysTo finds out how the laptop reaches ports of the docker host.
func waysTo(ctx context.Context, t *target.Target) ports.Ways {
	w := ports.Ways{NoWay: "the host-only address cannot be reached, and the port is not forwarded"}
	if run, ok := follow.Current(ctx, t.Laptop, t.State()); ok {
		w.Followed = run.Followed()
	}
	switch t.Kind {
	case target.Local:
		w.Here = true
		return w
	case target.SSH:
		w.NoWay = "the port is not forwarded"
		return w
	case target.TCP:
		w.HostOnly, _ = netip.ParseAddr(t.TCP.Host())
		w.NoWay = "the port is not forwarded"
		return w
	}
	if t.Endpoints.Ask(ctx, t.Endpoints.HostOnly()).Verified() {
		w.HostOnly = t.HostOnlyAddr()
	}
	w.Rules = rulesTo(ctx, t)
	return w
}

// rulesTo returns the NAT rules of a machine's VM that listen on a loopback address of the laptop.
func rulesTo(ctx context.Context, t *target.Target) (rules []ports.Rule) {
	vm, err := t.VM.Info(ctx)
	if !t.Machine.VirtualBox() || err != nil {
		return nil
	}
	for _, f := range vm.Forwards {
		here := f.HostIP == "" || f.HostIP == netip.IPv4Unspecified().String() || vbox.Loopback(f.HostIP)
		if here && f.HostPort != 0 {
			rules = append(rules, ports.Rule{Protocol: f.Proto, Host: otherLoopback(f.HostIP), HostPort: f.HostPort, GuestPort: f.GuestPort})
		}
	}
	return rules
}

// otherLoopback returns the loopback address of a NAT rule if it is not 127.0.0.1, otherwise "".
func otherLoopback(hostIP string) string {
	ip, err := netip.ParseAddr(strings.Trim(hostIP, "[]"))
	if err != nil || !ip.IsLoopback() || ip.String() == host.Loopback {
		return ""
	}
	return ip.String()
}
