package virtualbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

const (
	// portRange is how many consecutive ports are tried.
	portRange = 200
	// sparePort is where a second search for a port begins if the first one finds none.
	sparePort = 20000
)

// PortFinder finds ports of 127.0.0.1 on the laptop that a new NAT rule of a VM can have.
type PortFinder struct {
	virtualBox *Manager
	network    *laptop.Network
	claims     map[int]string // by TCP port: why it cannot be used, even if it is free now
	udp        map[int]string // the same for UDP
}

// PortError means that a new NAT rule cannot have a port. Next is a port that it can have; 0 if
// none was found. Hint is a command with that port, which the caller sets.
type PortError struct {
	Text string
	Port int // the port that cannot be used; set by Check only
	Next int
	Hint hint.Hint
}

func (e *PortError) Error() string { return e.Text }

// RulePort returns the port that a new NAT rule to dockerd gets: exactly the demanded one, or if
// demanded is 0 the first usable one, starting with dockerd's own. If there is none, the error is a
// *PortError. The answer is remembered until Forget.
func (m *Machine) RulePort(ctx context.Context, demanded int, network *laptop.Network) (int, error) {
	return m.rulePort.Get(ctx, demanded, func() (int, error) {
		vm, err := m.Info(ctx)
		if err != nil {
			return 0, err
		}
		return m.choosePort(ctx, vm, demanded, network)
	})
}

func (m *Machine) choosePort(ctx context.Context, vm vbox.VM, demanded int, network *laptop.Network) (int, error) {
	ports, err := m.virtualBox.FindPorts(ctx, vm, network)
	if err != nil {
		return 0, err
	}
	return ports.Choose(ctx, cmp.Or(demanded, store.DefaultDaemonPort), demanded != 0)
}

// CheckPort returns a *PortError if the NAT rule to dockerd cannot have the demanded port; it
// returns nil if a rule to dockerd already has it. If VirtualBox does not answer it returns nil,
// too, since a repair reports that itself.
func (m *Machine) CheckPort(ctx context.Context, demanded int, network *laptop.Network) error {
	vm, err := m.Info(ctx)
	if err != nil && !notFound(err) {
		return nil // without the VM's own rules, one of them would look like another VM's
	}
	for _, f := range m.DaemonRules(vm) {
		if f.HostPort != demanded {
			continue
		}
		if vm.State.Live() {
			return nil // VirtualBox itself listens on it
		}
		vm.Forwards = slices.DeleteFunc(slices.Clone(vm.Forwards), func(g vbox.Forward) bool { return g == f })
	}
	_, err = m.choosePort(ctx, vm, demanded, network)
	var unusable *PortError
	if errors.As(err, &unusable) || ctx.Err() != nil {
		return err
	}
	return nil
}

// FindPorts returns a PortFinder, after asking for the NAT rules of all VMs: one that is off will
// listen on its ports later. vm's own rule RuleName does not count, because it will be replaced.
func (v *Manager) FindPorts(ctx context.Context, vm vbox.VM, network *laptop.Network) (*PortFinder, error) {
	p := &PortFinder{virtualBox: v, network: network, claims: map[int]string{}, udp: map[int]string{}}
	for _, f := range vm.Forwards {
		if f.Name != RuleName || f.Proto != "tcp" {
			p.claim(f, fmt.Sprintf("NAT rule %q of this VM uses it", f.Name))
		}
	}
	vms, err := v.VMs(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range vms {
		if ref.UUID == vm.UUID {
			continue
		}
		other, err := v.LookUpRef(ctx, ref)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // inaccessible, or removed meanwhile: it binds nothing
		}
		for _, f := range other.Forwards {
			p.claim(f, fmt.Sprintf("NAT rule %q of VM %q uses it", f.Name, other.Name))
		}
	}
	return p, nil
}

func (p *PortFinder) claim(f vbox.Forward, why string) {
	if f.Proto == "udp" {
		p.udp[f.HostPort] = why
	} else {
		p.claims[f.HostPort] = why
	}
}

// Check returns a *PortError if a new rule cannot have a port of the laptop. For UDP it only knows
// the ports of other rules.
func (p *PortFinder) Check(ctx context.Context, proto string, port int) error {
	why, err := p.udp[port], error(nil)
	if proto != "udp" {
		why, err = p.obstacle(ctx, port)
	}
	if why == "" || err != nil {
		return err
	}
	if why == listening {
		why = p.listener(ctx, port)
	}
	next := 0
	if proto != "udp" {
		from := port + 1
		if port < 1024 {
			from = 8000 + port // as people do: 8080 for 80
		}
		if next, err = p.FirstUsable(ctx, from); err != nil {
			return err
		}
	}
	return &PortError{Text: fmt.Sprintf("port %d/%s of the laptop cannot be used: %s", port, proto, why), Port: port, Next: next}
}

// DidNotBind excludes a port on which VirtualBox did not listen: it accepts rules whose ports it
// cannot bind.
func (p *PortFinder) DidNotBind(port int) {
	p.claims[port] = "VirtualBox added a NAT rule for it and did not listen"
}

// Choose returns the port for the rule to dockerd: the first usable one from port on, or exactly
// port if it is demanded. If there is none, the error is a *PortError.
func (p *PortFinder) Choose(ctx context.Context, port int, demanded bool) (int, error) {
	if !demanded {
		found, err := p.FirstUsable(ctx, port)
		if found != 0 || err != nil {
			return found, err
		}
		return 0, p.noPort(ctx, fmt.Sprintf("no port from %d to %d can be listened on at 127.0.0.1", port, min(port+portRange-1, 65535)), sparePort)
	}
	why, err := p.obstacle(ctx, port)
	if why == "" || err != nil {
		return port, err
	}
	if why == listening {
		why = p.listener(ctx, port)
	}
	return 0, p.noPort(ctx, fmt.Sprintf("port %d cannot be used for the NAT rule to dockerd: %s", port, why), port)
}

// FirstUsable returns the first port from from on that a new rule can have; 0 if none of portRange
// ports is usable.
func (p *PortFinder) FirstUsable(ctx context.Context, from int) (int, error) {
	for port := from; port < from+portRange && port <= 65535; port++ {
		why, err := p.obstacle(ctx, port)
		if err != nil {
			return 0, err
		}
		if why == "" {
			return port, nil
		}
	}
	return 0, nil
}

const listening = "another program listens on it"

// obstacle returns why a new rule cannot have a TCP port; "" if it can.
func (p *PortFinder) obstacle(ctx context.Context, port int) (string, error) {
	if why := p.claims[port]; why != "" {
		return why, nil
	}
	use, err := p.virtualBox.laptop.PortUse(ctx, port)
	switch {
	case err != nil:
		return "", fmt.Errorf("looking for a free port: %w", err)
	case use == host.PortFree:
		return "", nil
	case use == host.PortPrivileged:
		return "this user may not listen on it", nil
	}
	return listening, nil
}

// listener returns why a port is taken, with the name of the program that listens if this user may
// see it.
func (p *PortFinder) listener(ctx context.Context, port int) string {
	all, _ := p.network.Listeners(ctx, port)
	for _, l := range all {
		if l.Command != "" {
			return fmt.Sprintf("%s (PID %d) listens on it", l.Command, l.PID)
		}
	}
	return listening
}

// noPort returns a *PortError. It looks for Next from a port on, and then from sparePort on.
func (p *PortFinder) noPort(ctx context.Context, text string, from int) error {
	next, err := p.FirstUsable(ctx, max(from, store.DefaultDaemonPort))
	if next == 0 && err == nil && from != sparePort {
		next, err = p.FirstUsable(ctx, sparePort)
	}
	if err != nil {
		return err
	}
	return &PortError{Text: text, Next: next}
}
