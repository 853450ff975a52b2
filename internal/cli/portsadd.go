package cli

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

const aboutSpec = `SPEC is [ADDR:]LAPTOP_PORT[:DOCKER_HOST_PORT][/tcp|/udp]: 8080, 8080:80, 5353:53/udp. ADDR is an IPv4
address of the laptop; by default only the laptop itself reaches the port.`

func (a *app) portsAddCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "add SPEC... [-H MACHINE]",
		Short: "Forward ports of the laptop to the VM permanently, by VirtualBox NAT rules",
		Long: `add makes VirtualBox forward ports of the laptop to the VM, even after a restart of either and
while docker-vpn-helper is not running. It adds all of them, or none. undo removes them.

` + aboutSpec,
		Example: `  docker-vpn-helper ports add 8080 -H default
  docker-vpn-helper ports add 8080:80 5353:53/udp -H default`,
		Args: a.someSpecs,
		RunE: func(_ *cobra.Command, args []string) error { return a.changePorts(args, "ports-add", a.addPorts) },
	}
}

func (a *app) portsRmCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "rm SPEC... [-H MACHINE]",
		Short: "Remove forwards that ports add has added",
		Long: `rm removes NAT rules that ports add has added: all that you name, or none.

` + aboutSpec,
		Example: `  docker-vpn-helper ports rm 8080 -H default`,
		Args:    a.someSpecs,
		RunE:    func(_ *cobra.Command, args []string) error { return a.changePorts(args, "ports-rm", a.rmPorts) },
	}
}

func (a *app) someSpecs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return misused(a.again("8080"), "ports %s takes at least one port", cmd.Name())
}

// changePorts applies the change of the VM's NAT rules that plan returns for the specifications.
func (a *app) changePorts(texts []string, command string, plan func(*target.Target, vbox.VM, []ports.Spec) (*vmchange.ChangePorts, error)) error {
	specs, err := ports.ParseSpecs(texts)
	var bad *ports.SpecError
	if errors.As(err, &bad) && bad.Better != "" {
		return misused(a.corrected(bad.Text, bad.Better), "%v", err)
	} else if err != nil {
		return misused(hint.Run("docker-vpn-helper", "ports", strings.TrimPrefix(command, "ports-"), "--help"), "%v", err)
	}
	s, err := a.site()
	if err != nil {
		return err
	}
	name, err := a.machineName(s, nil)
	if err != nil {
		return err
	}
	session, err := engine.Begin(a.ctx, a.hard, a.machineJob(s, name, command, nil))
	if err != nil {
		return err
	}
	defer session.Close()
	t := session.Target
	defer t.Enter(mode.Repair())()
	if !t.Machine.VirtualBox() {
		return &exitError{code: exitUsage, message: fmt.Sprintf("ports %s works only on machines of the driver virtualbox; %q has the driver %q",
			strings.TrimPrefix(command, "ports-"), name, t.Machine.Driver), hint: hint.Own("ports", "follow", name)}
	}
	vm, err := t.VM.Info(a.ctx)
	if err != nil {
		return a.cause(err)
	}
	change, err := plan(t, vm, specs)
	if err != nil {
		return err
	}
	var res engine.Result
	if len(change.Add)+len(change.Remove) > 0 {
		if res, err = session.Apply(a.ctx, a.hard, []engine.Change{change}); err != nil {
			return a.otherPort(err, t, texts, specs)
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema  int      `json:"schema"`
			Host    string   `json:"host"`
			Applied []string `json:"applied"`
			Journal string   `json:"journal"`
		}{engine.Schema, "machine:" + name, nonNil(res.Applied), res.Journal})
	}
	for _, f := range change.Add {
		a.ui.Success("[%s] %s", name, describeForward(f))
	}
	for _, f := range change.Remove {
		a.ui.Success("[%s] %s/%s is no longer forwarded", name, net.JoinHostPort(f.HostIP, strconv.Itoa(f.HostPort)), f.Proto)
	}
	return nil
}

// otherPort adds to the error for a port that a rule cannot have a hint: the command line with a port
// that it can have. texts are the specifications as typed.
func (a *app) otherPort(err error, t *target.Target, texts []string, specs []ports.Spec) error {
	var taken *virtualbox.PortError
	if !errors.As(err, &taken) {
		return err
	}
	taken.Hint = t.Hint(hint.Own("ports", hint.Machine))
	wants := func(port int) int {
		return slices.IndexFunc(specs, func(s ports.Spec) bool { return s.Protocol == "tcp" && s.Port == port })
	}
	if i := wants(taken.Port); i >= 0 && taken.Next != 0 && wants(taken.Next) < 0 {
		specs[i].Port = taken.Next
		taken.Hint = a.corrected(texts[i], specs[i].String())
	}
	return err
}

func (a *app) addPorts(t *target.Target, vm vbox.VM, specs []ports.Spec) (*vmchange.ChangePorts, error) {
	slot, ok := vm.NATSlot()
	if !ok {
		return nil, &exitError{code: exitProblems, message: fmt.Sprintf("no network adapter of machine %q is attached to NAT, so no port can be forwarded", t.Machine.Name),
			hint: hint.Explain("forward.nat-missing")}
	}
	c := &vmchange.ChangePorts{VM: vm.Name, UUID: vm.UUID, Slot: slot}
	var public []string
	for _, s := range specs {
		rule := vbox.Forward{Slot: slot, Name: s.RuleName(), Proto: s.Protocol, HostIP: s.Addr.String(), HostPort: s.Port, GuestPort: s.Target}
		i := slices.IndexFunc(vm.Forwards, func(f vbox.Forward) bool {
			return f.Name == rule.Name || f.Proto == rule.Proto && f.HostPort == rule.HostPort
		})
		switch {
		case i < 0:
			c.Add = append(c.Add, rule)
		case vm.Forwards[i] == rule:
			a.ui.Say("[%s] already there: %s", t.Machine.Name, describeForward(rule))
			continue
		default:
			taken := &exitError{code: exitProblems, message: fmt.Sprintf("NAT rule %[2]q already has port %[1]s of the laptop: %[3]s", s.Key(), vm.Forwards[i].Name, vm.Forwards[i].Rule()),
				hint: t.Hint(hint.Own("ports", hint.Machine))}
			if vm.Forwards[i].Name == rule.Name {
				taken.hint = t.Hint(hint.Own("ports", "rm", s.Key().String(), "-H", hint.Machine))
			}
			return nil, taken
		}
		if !s.Addr.IsLoopback() {
			public = append(public, s.String())
		}
	}
	if len(public) > 0 {
		return c, a.sink().Confirm(a.ctx, "", fmt.Sprintf("other computers in the network will reach %s", strings.Join(public, ", ")))
	}
	return c, nil
}

func (a *app) rmPorts(t *target.Target, vm vbox.VM, specs []ports.Spec) (*vmchange.ChangePorts, error) {
	c := &vmchange.ChangePorts{VM: vm.Name, UUID: vm.UUID}
	for _, s := range specs {
		i := slices.IndexFunc(vm.Forwards, func(f vbox.Forward) bool { return f.Name == s.RuleName() })
		if i < 0 {
			return nil, &exitError{code: exitProblems, message: fmt.Sprintf("machine %q has no forward of %s that ports add has added", t.Machine.Name, s.Key()),
				hint: t.Hint(hint.Own("ports", hint.Machine))}
		}
		c.Slot = vm.Forwards[i].Slot
		c.Remove = append(c.Remove, vm.Forwards[i])
	}
	return c, nil
}

// describeForward describes a NAT rule for people.
func describeForward(f vbox.Forward) string {
	return fmt.Sprintf("%s/%s is forwarded to port %d of the VM", net.JoinHostPort(f.HostIP, strconv.Itoa(f.HostPort)), f.Proto, f.GuestPort)
}
