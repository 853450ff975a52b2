package cli

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/allowance"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// allowFlags are the flags of allow. deny has some of them.
type allowFlags struct {
	port, from                  string
	once, list, confirm, dryRun bool
	within                      time.Duration
}

func (a *app) allowCmd() *cobra.Command {
	var f allowFlags
	cmd := &cobra.Command{
		Use:   "allow CONTAINER... [-H HOST]",
		Short: "Let packets reach a container despite packet filters",
		Long: `allow lets packets from clients outside past the rules that reach finds, to a container's
published ports and nothing else: other containers stay closed. It adds rules of its own and
does not edit other programs' files. The rules are permanent: they are loaded again after a
reboot, after a restart of docker or of the unit that drops the packets, and when the
container gets another address.

-p names one port, by its number inside the container or on the docker host. --from limits the
clients. With --from, CONTAINER may be a container's own address to which a VPN routes packets.

Over SSH the docker host reverts the change by itself unless allow can make a new connection
and confirms it. Inside an SSH session it prints the command that confirms it.

It needs root on the docker host. deny reverts it, and so does undo.`,
		Example: `  docker-vpn-helper allow web2
  docker-vpn-helper allow web2 -p 8080 --from 10.98.0.0/24 -H ssh://me@server
  docker-vpn-helper allow --list`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := a.allowArgs(cmd, args, &f); err != nil {
				return err
			}
			given := cmd.Flags().Changed("confirm-within")
			if !given {
				f.within = 0
			}
			return a.checkWithin(f.within, given)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case f.list:
				return a.onFilters(func(_ site, t *target.Target) error { return a.listAllowances(t) })
			case f.confirm:
				return a.onFilters(func(_ site, t *target.Target) error { return a.confirmAllowance(t) })
			}
			requests, err := a.requests(args, &f)
			if err != nil {
				return err
			}
			if f.dryRun {
				return a.previewAllow(requests, &f)
			}
			return a.changeFilters("allow", func(s *engine.Session) error { return a.allow(s, requests, &f) })
		},
	}
	cmd.Flags().StringVarP(&f.port, "port", "p", "", "open only this `PORT`: 80, or 53/udp")
	cmd.Flags().StringVar(&f.from, "from", "", "open it only to clients in this `CIDR`")
	cmd.Flags().BoolVar(&f.once, "once", false, "until the docker host is rebooted")
	cmd.Flags().BoolVar(&f.list, "list", false, "list what allow has opened; exit 1 if something has changed it since")
	cmd.Flags().BoolVar(&f.confirm, "confirm", false, "confirm the last change, so that it is kept")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the rules, but do not add them")
	cmd.Flags().DurationVar(&f.within, "confirm-within", confirmTime, "over SSH: revert by itself unless confirmed within `DURATION`")
	return cmd
}

func (a *app) denyCmd() *cobra.Command {
	var f allowFlags
	cmd := &cobra.Command{
		Use:   "deny CONTAINER [-H HOST]",
		Short: "Close what allow has opened",
		Long: `deny removes the rules that allow has added for a container, or for one of its ports. It does
not change other programs' rules. It needs root on the docker host.`,
		Example: `  docker-vpn-helper deny web2
  docker-vpn-helper deny web2 -p 8080 -H local`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return misused(a.helpOf(cmd), "deny takes a container")
			case 1:
				return nil
			}
			return misused(a.without(args[1:]...), "deny takes one container, not %s", strings.Join(args, " "))
		},
		RunE: func(_ *cobra.Command, args []string) error {
			requests, err := a.requests(args, &f)
			if err != nil {
				return err
			}
			return a.changeFilters("deny", func(s *engine.Session) error { return a.deny(s, requests[0], f.dryRun) })
		},
	}
	cmd.Flags().StringVarP(&f.port, "port", "p", "", "close only this `PORT`")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be closed, but do not close it")
	return cmd
}

// allowArgs checks that arguments and flags fit together.
func (a *app) allowArgs(cmd *cobra.Command, args []string, f *allowFlags) error {
	alone := ""
	switch {
	case f.list:
		alone = "--list"
	case f.confirm:
		alone = "--confirm"
	}
	switch {
	case f.list && f.confirm:
		return misused(a.without("--confirm"), "--list and --confirm cannot be used together")
	case alone != "" && len(args) > 0:
		return misused(a.without(args...), "allow %s takes no container", alone)
	case alone == "" && len(args) == 0:
		return misused(a.helpOf(cmd), "allow takes a container")
	}
	return nil
}

// requests reads the containers, and the port and clients for each, from arguments and flags.
func (a *app) requests(args []string, f *allowFlags) ([]allowance.Request, error) {
	var all []allowance.Request
	for _, arg := range args {
		r := allowance.Request{Container: arg}
		port := f.port
		if name, text, ok := strings.Cut(arg, ":"); ok && port == "" && !strings.Contains(text, ":") {
			r.Container, port = name, text
		}
		if port != "" {
			number, protocol, _ := strings.Cut(port, "/")
			n, err := strconv.ParseUint(number, 10, 16)
			if err != nil || n == 0 || protocol != "" && protocol != "tcp" && protocol != "udp" {
				return nil, misused(hint.Run("docker-vpn-helper", a.cmd.Name(), "--help"), "%q is not a port: -p takes 1 to 65535, with /udp unless it is TCP", port)
			}
			r.Port, r.UDP = int(n), protocol == "udp"
		}
		if !validContainer(r.Container) {
			return nil, misused(hint.Run("docker-vpn-helper", a.cmd.Name(), "--help"), "%q is not the name of a container", r.Container)
		}
		var err error
		if r.From, err = parseClients(f.from); err != nil {
			return nil, misused(hint.Run("docker-vpn-helper", a.cmd.Name(), "--help"), "%q is not a network: --from takes one such as 10.0.0.0/8", f.from)
		}
		all = append(all, r)
	}
	return all, nil
}

// parseClients reads a network or an address; "" means everyone.
func parseClients(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if one, err := netip.ParseAddr(text); err == nil {
		return one.Prefix(one.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// validContainer reports whether a word may be the name of a container, or is an address.
func validContainer(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || firewall.ValidName(name)
}
