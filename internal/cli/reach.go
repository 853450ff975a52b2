package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall/probe"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts/writer"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) reachCmd() *cobra.Command {
	var from string
	var probing bool
	cmd := &cobra.Command{
		Use:   "reach TARGET [-H HOST]",
		Short: "Find out which packet filter rule keeps packets from a container",
		Long: `reach follows a packet through the docker host to a container, and the answer back, and
prints every rule that drops it: chain, number and text, and the script and unit that added
it. It evaluates the current rules of iptables, ip6tables, ebtables and nftables. Without
--probe it sends and changes nothing.

TARGET is a container, CONTAINER:PORT with a port inside the container, PORT or PORT/udp of
the docker host, or a container's own address. The packet comes from a client on the internet
(public), in the docker host's private network (lan), on the docker host itself (local), in
another container (container:NAME), or at an address. An address of the docker host means a
client there that uses this address instead of the loopback address.

--probe sends a packet from this computer to each published port, and counts where the docker
host sees it. To do so it adds counting rules, and removes them again; if it is killed, the
docker host removes them after 15 seconds.

It needs root on the docker host.`,
		Example: `  docker-vpn-helper reach web2
  docker-vpn-helper reach 8080 -H local --from lan
  docker-vpn-helper reach web2:80 --from container:web1 --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return misused(a.helpOf(cmd), "reach takes a container or a port")
			case 1:
				return nil
			}
			return misused(a.without(args[1:]...), "reach takes one target, not %s", strings.Join(args, " "))
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.reach(args[0], from, probing) },
	}
	cmd.Flags().StringVar(&from, "from", firewall.FromPublic, "send the packet `FROM` public, lan, local, container:NAME or an address")
	cmd.Flags().BoolVar(&probing, "probe", false, "also send a packet, and count where the docker host sees it")
	return cmd
}

func (a *app) reach(what, from string, probing bool) error {
	if err := firewall.Check(what, from); err != nil {
		return a.wrongTarget(err)
	}
	s, err := a.site()
	if err != nil {
		return err
	}
	return a.onHost(s, nil, func(t *target.Target) error {
		err := a.hasFilters(t)
		if err == nil {
			err = a.hasDocker(t)
		}
		if err == nil && probing {
			err = a.mayProbe(t, from)
		}
		if err != nil {
			return err
		}
		return a.reachOn(t, what, from, probing)
	}, filterKinds()...)
}

// reachReport is what reach --json prints.
type reachReport struct {
	Schema int    `json:"schema"`
	Host   string `json:"host"`
	*firewall.Answer
	Probes []*probe.Result `json:"probes,omitempty"`
}

// reachOn asks one docker host and prints the answer.
func (a *app) reachOn(t *target.Target, what, from string, probing bool) error {
	ctx, cancel := context.WithTimeout(a.ctx, reachTime)
	defer cancel()
	facts, err := a.facts(ctx, t)
	if err != nil {
		return a.reachFailed(t, err)
	}
	answer, err := firewall.Reach(facts, what, from)
	if err != nil {
		return a.reachFailed(t, err)
	}
	report := reachReport{Schema: engine.Schema, Host: t.Ref.String(), Answer: answer}
	if probing {
		if report.Probes, err = a.probe(ctx, t, facts, what); err != nil {
			return a.reachFailed(t, err)
		}
	}
	a.code = map[firewall.Verdict]int{firewall.Reachable: exitOK, firewall.Blocked: exitProblems, firewall.Unknown: exitUnknown}[answer.Verdict]
	if a.ui.JSON {
		return a.ui.PrintJSON(report)
	}
	a.printReach(report)
	return nil
}

// reachFailed adds exit status and hint to an error of the docker host or the command line.
func (a *app) reachFailed(t *target.Target, err error) error {
	switch {
	case a.interrupted():
		return errInterrupted
	case errors.As(err, new(*firewall.TargetError)):
		return a.wrongTarget(err)
	case errors.Is(err, host.ErrNoSudo):
		return a.needsRoot(t, "reading packet filters needs", err)
	}
	return &exitError{code: exitUnknown, message: err.Error(), hint: t.Hint(hint.Own("doctor", hint.Machine))}
}

// wrongTarget is the error for a target or an origin that does not exist. It lists those that do.
func (a *app) wrongTarget(err error) error {
	e := &exitError{code: exitUsage, message: err.Error(), hint: a.helpOf(a.cmd)}
	if wrong := new(firewall.TargetError); errors.As(err, &wrong) && len(wrong.Known) > 0 {
		e.message += ": there are " + strings.Join(wrong.Known, ", ")
		e.hint = a.nearestOf(wrong.Word, wrong.Known, a.helpOf(a.cmd))
	}
	return e
}

func (a *app) printReach(r reachReport) {
	lines := []string{fmt.Sprintf("%s from %s: %s", r.Target, r.From, r.Verdict)}
	for _, o := range r.Obstacles {
		lines = append(lines, "  ✗ "+o.String())
		if o.WrittenBy != nil {
			lines = append(lines, "      written by "+writtenBy(*o.WrittenBy))
		}
	}
	for _, d := range r.Doubts {
		lines = append(lines, "  ? "+d.Place.String(), "      "+d.Why)
	}
	for _, n := range r.Notes {
		lines = append(lines, "  ! "+n)
	}
	if a.ui.Verbose || r.Verdict == firewall.Reachable {
		lines = append(lines, "Path:")
		for _, h := range r.Path {
			lines = append(lines, "  "+h.At+": "+h.What)
		}
	}
	a.ui.Lines(append(lines, probeLines(r.Probes)...)...)
}

// writtenBy returns what added a rule, for people.
func writtenBy(s writer.Source) string {
	var parts []string
	if s.File != "" {
		parts = append(parts, fmt.Sprintf("%s line %d", s.File, s.Line))
	}
	if s.Program != "" {
		parts = append(parts, s.Program)
	}
	if s.Unit != "" {
		parts = append(parts, "("+s.Unit+")")
	}
	return strings.Join(parts, " ")
}
