package allowance

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
)

// New plans what a request needs, and evaluates the docker host as it will be after that. The error is a
// *Refusal if there is no acceptable plan, a *firewall.TargetError if the request is wrong.
func New(f *netfacts.Facts, req Request) (*Plan, error) {
	c, direct, err := find(f, req)
	if err != nil {
		return nil, err
	}
	p := &Plan{Container: c.Name}
	after := f
	for _, w := range ways(c, req, direct) {
		w.Container, w.From, w.Once = c.Name, req.From, req.Once
		if err := p.open(f, &w.Allowance, w.target); err != nil {
			return nil, err
		}
		if len(w.Rules) == 0 {
			continue
		}
		p.Allowances = append(p.Allowances, w.Allowance)
		if after, err = w.After(after); err != nil {
			return nil, err
		}
	}
	if len(p.Allowances) == 0 {
		return p, nil
	}
	if err := p.checkOthers(f, after, c, direct.IsValid()); err != nil {
		return nil, err
	}
	p.LetsOut = letsOut(f, after, c)
	return p, nil
}

// find returns the request's container. direct is the container's own address if packets are to
// be sent there rather than to a published port.
func find(f *netfacts.Facts, req Request) (c *netfacts.Container, direct netip.Addr, err error) {
	if a, err := netip.ParseAddr(req.Container); err == nil {
		for i := range f.Containers {
			for _, own := range f.Containers[i].Addresses {
				if own.Addr == a {
					c, direct = &f.Containers[i], a
				}
			}
		}
	} else {
		c = f.Container(req.Container)
	}
	var names []string
	for _, known := range f.Containers {
		names = append(names, known.Name)
	}
	switch {
	case c == nil:
		return nil, direct, &firewall.TargetError{Text: fmt.Sprintf("no container is called %q", req.Container), Known: names}
	case c.PID == 0:
		return nil, direct, &Refusal{Text: fmt.Sprintf("container %s is not running, so it has no address", c.Name), Stopped: c.Name}
	case direct.IsValid() && !req.From.IsValid():
		return nil, direct, &firewall.TargetError{Text: "a container's own address needs --from: the network that is routed to it"}
	}
	if direct.IsValid() {
		return c, direct, nil
	}
	if len(c.Published) == 0 && req.From.IsValid() && len(c.Addresses) > 0 {
		return c, c.Addresses[0].Addr, nil
	}
	if len(ways(c, req, direct)) > 0 {
		return c, direct, nil
	}
	if req.Port != 0 {
		return nil, direct, &firewall.TargetError{Text: fmt.Sprintf("container %s does not publish port %d", c.Name, req.Port), Known: publishedPorts(c)}
	}
	return nil, direct, &firewall.TargetError{Text: fmt.Sprintf("container %s publishes no port", c.Name)}
}

// publishedPorts returns a container's published ports as text.
func publishedPorts(c *netfacts.Container) []string {
	var all []string
	for _, p := range c.Published {
		if text := p.String(); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// way is an allowance without rules, and the same port as a target of reach.
type way struct {
	Allowance
	target string
}

// ways returns the ports that a request means. A number is first taken for a port inside the
// container, then for a published one.
func ways(c *netfacts.Container, req Request, direct netip.Addr) []way {
	if direct.IsValid() {
		w := way{Allowance: Allowance{UDP: req.UDP, Inside: req.Port}}
		for _, l := range c.Listeners {
			if w.Inside == 0 && !l.Addr.Unmap().IsLoopback() {
				w.Inside, w.UDP = l.Port, l.UDP
			}
		}
		if w.target = direct.String(); w.Inside != 0 {
			w.target = netip.AddrPortFrom(direct, uint16(w.Inside)).String() + "/" + w.Protocol()
		}
		return []way{w}
	}
	for _, inside := range []bool{true, false} {
		var all []way
		for _, p := range c.Published {
			number := p.HostPort
			if inside {
				number = p.Port
			}
			if req.Port != 0 && (number != req.Port || p.UDP != req.UDP) || slices.ContainsFunc(all, func(w way) bool { return w.Port == p.HostPort && w.UDP == p.UDP }) {
				continue
			}
			w := way{Allowance: Allowance{Port: p.HostPort, UDP: p.UDP}}
			w.target = c.Name + ":" + strconv.Itoa(p.Port) + "/" + w.Protocol()
			all = append(all, w)
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// maxRounds bounds how often rules are added to get past the next obstacle.
const maxRounds = 16

// open adds rules to an allowance until packets reach the target.
func (p *Plan) open(f *netfacts.Facts, a *Allowance, target string) error {
	origins, err := a.origins(f)
	if err != nil {
		return err
	}
	state := f
	for range maxRounds {
		obstacles, doubts, err := reach(state, target, origins)
		switch {
		case err != nil:
			return err
		case len(obstacles) == 0 && len(doubts) > 0 && len(a.Rules) == 0:
			return &Refusal{Text: "a rule that cannot be evaluated decides: " + doubts[0].Place.String(), Unsure: true}
		case len(obstacles) == 0:
			a.addPair(state)
			for _, d := range doubts {
				p.note("a rule that cannot be evaluated may still decide: %s", d.Place)
			}
			return nil
		}
		changed := false
		for _, o := range obstacles {
			r, err := a.ruleFor(state, o)
			if err != nil {
				return err
			}
			if a.add(r) {
				changed = true
				p.found(o)
			}
		}
		if !changed {
			return refused("adding rules does not get past this: %s", obstacles[0])
		}
		if state, err = a.After(f); err != nil {
			return err
		}
	}
	return refused("too many rules drop packets for %s", target)
}
