package allowance

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Request is what the user wants to be reachable.
type Request struct {
	Container string // a name, the beginning of an ID, or an address of a container
	Port      int    // inside the container or published; 0 stands for all that are published
	UDP       bool
	From      netip.Prefix
	Once      string
}

// Plan is what a request needs.
type Plan struct {
	Container  string
	Allowances []Allowance
	// Obstacles are what the rules open; none where packets get to the container already.
	Obstacles []firewall.Obstacle
	// Units wrote rules that the allowance has to come before.
	Units []string
	Notes []string
	// LetsOut reports that the container itself can send packets to the outside afterwards,
	// which it could not before.
	LetsOut bool
}

// Refusal is why nothing is planned.
type Refusal struct {
	Text string
	// Stopped is a container that does not run.
	Stopped string
	// Unsure reports that a rule which cannot be evaluated decides.
	Unsure bool
}

func (r *Refusal) Error() string { return r.Text }

func refused(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

// New plans what a request needs, and evaluates the docker host as it will be.
func New(f *firewall.Facts, req Request) (*Plan, error) {
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
	if err := p.unchanged(f, after, c, direct.IsValid()); err != nil {
		return nil, err
	}
	p.LetsOut = letsOut(f, after, c)
	return p, nil
}

// find is the container that is meant. direct is its own address where packets are to be
// routed to that.
func find(f *firewall.Facts, req Request) (c *firewall.Container, direct netip.Addr, err error) {
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
		return nil, direct, &Refusal{Text: fmt.Sprintf("container %s does not run, and has no address", c.Name), Stopped: c.Name}
	case direct.IsValid() && !req.From.IsValid():
		return nil, direct, &firewall.TargetError{Text: "a container's own address is reached from networks that are routed to it: it takes --from"}
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
		return nil, direct, &firewall.TargetError{Text: fmt.Sprintf("container %s does not publish port %d", c.Name, req.Port), Known: published(c)}
	}
	return nil, direct, &firewall.TargetError{Text: fmt.Sprintf("container %s publishes no port", c.Name)}
}

func published(c *firewall.Container) []string {
	var all []string
	for _, p := range c.Published {
		if text := p.String(); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// way is an allowance, and what reach calls its target.
type way struct {
	Allowance
	target string
}

// ways are the ports that a request is about. A port inside the container comes before one
// of the docker host with the same number.
func ways(c *firewall.Container, req Request, direct netip.Addr) []way {
	if direct.IsValid() {
		target := direct.String()
		if req.Port != 0 {
			target = netip.AddrPortFrom(direct, uint16(req.Port)).String()
		}
		return []way{{Allowance: Allowance{UDP: req.UDP}, target: target}}
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

// maxRounds bounds how many obstacles are found behind each other.
const maxRounds = 16

// open adds rules to an allowance until nothing keeps packets from the target.
func (p *Plan) open(f *firewall.Facts, a *Allowance, target string) error {
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
			return refused("nothing smaller than another rule set opens it: %s", obstacles[0])
		}
		if state, err = a.After(f); err != nil {
			return err
		}
	}
	return refused("too many rules keep packets from %s", target)
}

// found notes an obstacle that is opened, and the unit that wrote it.
func (p *Plan) found(o firewall.Obstacle) {
	if !slices.ContainsFunc(p.Obstacles, func(other firewall.Obstacle) bool { return other.Place == o.Place }) {
		p.Obstacles = append(p.Obstacles, o)
	}
	if w := o.WrittenBy; w != nil && w.Unit != "" && !slices.Contains(p.Units, w.Unit) {
		p.Units = append(p.Units, w.Unit)
	}
}

func (p *Plan) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, n) {
		p.Notes = append(p.Notes, n)
	}
}

// reach follows packets from all origins to a target.
func reach(f *firewall.Facts, target string, origins []string) (obstacles []firewall.Obstacle, doubts []firewall.Doubt, err error) {
	for _, from := range origins {
		answer, err := f.Reach(target, from)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range answer.Obstacles {
			if !slices.ContainsFunc(obstacles, func(other firewall.Obstacle) bool { return other.Place == o.Place }) {
				obstacles = append(obstacles, o)
			}
		}
		doubts = append(doubts, answer.Doubts...)
	}
	return obstacles, doubts, nil
}

// origins are where the packets come from, as reach takes it.
func (a *Allowance) origins(f *firewall.Facts) ([]string, error) {
	if a.From.IsValid() {
		client := a.From.Masked().Addr()
		if a.From.Bits() < client.BitLen() {
			client = client.Next()
		}
		for _, l := range f.Links { // the docker host itself is no client
			for _, p := range l.Addresses {
				if p.Addr() == client {
					client = client.Next()
				}
			}
		}
		return []string{client.String()}, nil
	}
	return outside(f)
}

// outside are the origins that stand for all clients.
func outside(f *firewall.Facts) ([]string, error) {
	var all []string
	for _, family := range []netfilter.Family{netfilter.IPv4, netfilter.IPv6} {
		if _, ok := f.Public(family); ok {
			all = append(all, firewall.Outside(family).String())
		}
	}
	if len(all) == 0 {
		return []string{firewall.FromLAN}, nil
	}
	return all, nil
}

// link is the interface by which the clients' packets come.
func (a *Allowance) link(f *firewall.Facts) string {
	origins, err := a.origins(f)
	if err != nil {
		return ""
	}
	to, err := netip.ParseAddr(origins[0])
	if err != nil {
		return ""
	}
	r, _ := f.Way(netip.Addr{}, to, "")
	if r == nil {
		return ""
	}
	return r.Link
}

// source is the match of the clients' addresses, "" for all.
func (a *Allowance) source(option string) string {
	if !a.From.IsValid() {
		return ""
	}
	return strings.TrimSpace(option) + " " + a.From.Masked().String() + " "
}
