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
	// portRange is how many ports in a row are tried.
	portRange = 200
	// sparePort is where the search for a port goes on when it has come to nothing.
	sparePort = 20000
)

// PortFinder finds the host ports of 127.0.0.1 that a new NAT rule of one VM can have.
type PortFinder struct {
	virtualBox *Manager
	network    *laptop.Network
	claims     map[int]string // by port: why it cannot be used although it may be free
	udp        map[int]string // the same for UDP
}

// PortError is the error where a new NAT rule cannot have a port. Next is one that it
// can have, 0 if none was found; Hint is a command line with that one, which the caller
// adds.
type PortError struct {
	Text string
	Port int // the one of ports add that cannot be had
	Next int
	Hint hint.Hint
}

func (e *PortError) Error() string { return e.Text }

// RulePort is the port that a new NAT rule to dockerd gets: the demanded one and no other,
// or, where demanded is 0, the first usable one from dockerd's own on. The error is a
// *PortError where there is none. All who ask get the same answer, until Forget.
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

// CheckPort is a *PortError if the NAT rule to dockerd cannot have the demanded port, and
// nil where it has it already. What keeps VirtualBox from answering is no such error: a
// repair reports that itself.
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
			return nil // it is VirtualBox that listens
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

// FindPorts asks which ports the NAT rules of all VMs have: a VM that is off will listen
// later. vm's own rule of our name does not count, for it is replaced.
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

// Check is a *PortError where a new rule cannot have a port of the laptop. What listens
// on a UDP port is not known.
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
			from = 8000 + port // as people choose them: 8080 for 80
		}
		if next, err = p.FirstUsable(ctx, from); err != nil {
			return err
		}
	}
	return &PortError{Text: fmt.Sprintf("port %d/%s of the laptop cannot be used: %s", port, proto, why), Port: port, Next: next}
}

// DidNotBind excludes a port: VirtualBox accepts rules whose bind fails.
func (p *PortFinder) DidNotBind(port int) {
	p.claims[port] = "VirtualBox added a NAT rule for it and did not listen"
}

// Choose chooses a port for the rule to dockerd: the first usable one from port on, or,
// where it is demanded, port and no other. The error is a *PortError where there is none.
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

// FirstUsable is the first port from one on that a new rule can have; 0 if there is none
// near it.
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

// obstacle is why a new rule cannot have a port; "" if it can.
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

// listener is listening with the program's name, where this user may see it.
func (p *PortFinder) listener(ctx context.Context, port int) string {
	all, _ := p.network.Listeners(ctx, port)
	for _, l := range all {
		if l.Command != "" {
			return fmt.Sprintf("%s (PID %d) listens on it", l.Command, l.PID)
		}
	}
	return listening
}

// noPort is a *PortError whose Next is looked for from one port on.
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
