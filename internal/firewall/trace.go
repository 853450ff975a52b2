package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts/writer"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Layer is where an obstacle is.
type Layer string

// The layers.
const (
	L3        Layer = "l3"        // a rule drops the packets themselves
	Neighbors Layer = "arp"       // a rule drops ARP or neighbor discovery, which packets need
	Routing   Layer = "route"     // no route, or no forwarding
	InDocker  Layer = "docker"    // docker does not publish the port
	Inside    Layer = "container" // nothing listens in the container
)

// Obstacle is something that keeps packets from the container, or its answers from the client.
type Obstacle struct {
	Layer Layer `json:"layer"`
	netfilter.Place
	WrittenBy *writer.Source `json:"written_by,omitempty"`
	// isRule means that Place is a rule or a policy. Otherwise only its Text is set, which
	// describes the obstacle.
	isRule bool
}

// String describes the obstacle in one line.
func (o Obstacle) String() string {
	if !o.isRule {
		return o.Text
	}
	return o.Place.String()
}

// Hop is one step of the packet's way.
type Hop struct {
	At   string           `json:"at"`             // "nat PREROUTING", "bridge br-net"
	What string           `json:"what"`           // "DNAT to 172.17.0.2:80"
	By   *netfilter.Place `json:"rule,omitempty"` // the rule or policy that decided, if it is known
}

// Doubt is a rule that decides, but cannot be evaluated.
type Doubt struct {
	netfilter.Place
	Why string `json:"why"`
}

// tracer follows a packet, and its answer, through the docker host. After an obstacle it goes on
// as if that did not exist, so that it finds all of them.
type tracer struct {
	*netfacts.Facts
	target    *netfacts.Container
	env       *packet.Env
	skip      map[netfilter.Place]bool // rules and policies that were recorded as obstacles
	obstacles []Obstacle
	path      []Hop
	doubts    []Doubt
	notes     []string
}

func (t *tracer) hop(at, format string, args ...any) {
	t.path = append(t.path, Hop{At: at, What: fmt.Sprintf(format, args...)})
}

func (t *tracer) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(t.notes, n) {
		t.notes = append(t.notes, n)
	}
}

// chainHop records a hop through a chain.
func (t *tracer) chainHop(way *netfilter.Passage, format string, args ...any) {
	t.hop(hookName(way.Chain), format, args...)
	if len(way.Endings) == 1 {
		t.path[len(t.path)-1].By = &way.Endings[0].Place
	}
}

// blocked adds an obstacle that is not a rule.
func (t *tracer) blocked(layer Layer, format string, args ...any) {
	o := Obstacle{Layer: layer, Place: netfilter.Place{Text: fmt.Sprintf(format, args...)}}
	if !slices.ContainsFunc(t.obstacles, func(other Obstacle) bool { return other.Text == o.Text }) {
		t.obstacles = append(t.obstacles, o)
	}
}

// doubt adds a rule that decides, but cannot be evaluated.
func (t *tracer) doubt(p netfilter.Place, why string) {
	d := Doubt{Place: p, Why: why}
	if !slices.Contains(t.doubts, d) {
		t.doubts = append(t.doubts, d)
	}
}

// conntrackPriority is the priority of connection tracking
// (include/uapi/linux/netfilter_ipv4.h). Chains with a lower one see packets as INVALID.
const conntrackPriority = -200

// maxObstacles bounds how many obstacles are found in one chain.
const maxObstacles = 64

// hook sends the packet through all chains of a hook. If the packet comes in at an interface just
// before, or goes out just after, it also passes that interface's own chains.
func (t *tracer) hook(hook netfilter.Hook, layer Layer, p *packet.Packet) {
	arp := p.Family == packet.ARP && p.Bridge == ""
	if p.In != "" && (hook == netfilter.Prerouting || arp && hook == netfilter.Input) {
		t.pass(netfilter.Ingress, layer, p)
	}
	t.pass(hook, layer, p)
	if p.Out != "" && (hook == netfilter.Postrouting || arp && hook == netfilter.Output) {
		t.pass(netfilter.Egress, layer, p)
	}
}

// pass sends the packet through all chains of a hook, and applies their changes to it.
func (t *tracer) pass(hook netfilter.Hook, layer Layer, p *packet.Packet) {
	side := packet.Destination
	if hook == netfilter.Postrouting || hook == netfilter.Input {
		side = packet.Source
	}
	for _, c := range netfilter.Chains(t.Tables, hook, p) {
		if c.Type == netfilter.NATType && (p.Conn.State != packet.New || p.Conn.Bound[side]) {
			continue // the kernel translates these packets without looking at the rules
		}
		seen := *p
		early := c.Priority < conntrackPriority && p.Bridge == "" && (hook == netfilter.Prerouting || hook == netfilter.Output)
		if early || hook == netfilter.Ingress {
			seen.Conn.State = packet.Invalid
		}
		if hook == netfilter.Egress && p.Bridge == "" && p.Family != packet.ARP {
			seen.SrcMAC, seen.DstMAC = "", "" // it has a new Ethernet header
			if l := t.Link(p.Out); l != nil {
				seen.SrcMAC = l.MAC
			}
		}
		if (hook == netfilter.Ingress || hook == netfilter.Egress) && c.Devices == nil {
			t.unknownDevice(c, seen)
			continue
		}
		way := t.through(c, layer, seen)
		p.Mark, p.Conn.Mark = way.Packet.Mark, way.Packet.Conn.Mark
		if way.Packet.Conn.State == packet.Untracked || way.Packet.Conn.State == "" {
			p.Conn.State = way.Packet.Conn.State
		}
		if c.Type == netfilter.NATType {
			t.translate(p, way)
		}
	}
	if hook != netfilter.Ingress && hook != netfilter.Egress {
		p.Conn.Bound[side] = p.Bridge == ""
	}
}

// unknownDevice sends the packet through a chain whose interface is not known. If it does not
// accept the packet, that is a doubt, not an obstacle.
func (t *tracer) unknownDevice(c *netfilter.Chain, p packet.Packet) {
	way := netfilter.Through(c, p, t.env, t.skip)
	for _, e := range way.Endings {
		if e.Verdict != netfilter.Accept {
			t.doubt(e.Place, "the docker host's nft does not print to which interface this chain belongs")
		}
	}
}

// through sends the packet through one chain, again and again until the chain does not drop it.
// Each time it records an obstacle, and skips that rule the next time.
func (t *tracer) through(c *netfilter.Chain, layer Layer, p packet.Packet) *netfilter.Passage {
	var way *netfilter.Passage
	for range maxObstacles {
		way = netfilter.Through(c, p, t.env, t.skip)
		switch way.Verdict() {
		case netfilter.Accept:
			if way.Endings[0].NAT == nil {
				t.chainHop(way, "ACCEPT by %s", way.Endings[0].Place)
			}
			return way
		case netfilter.Unsure:
			for _, e := range way.Endings {
				if e.Verdict == netfilter.Unsure {
					why := "what it does with the packet cannot be evaluated"
					if e.Rule != nil && e.Rule.Note != "" {
						why = e.Rule.Note
					}
					t.doubt(e.Place, why)
				}
			}
			for _, r := range way.Doubts {
				t.doubt(r.Place(), "whether it applies depends on facts that are not known")
			}
			return way
		}
		first := way.Endings[0].Place
		for _, e := range way.Endings {
			t.skip[e.Place] = true
		}
		t.chainHop(way, "DROP by %s", first)
		source := t.Writers.Of(first)
		o := Obstacle{Layer: layer, Place: first, isRule: true}
		if source != (writer.Source{}) {
			o.WrittenBy = &source
		}
		t.obstacles = append(t.obstacles, o)
	}
	return way
}

func hookName(c *netfilter.Chain) string { return c.Table.Name + " " + c.Name }

// translate changes the packet's addresses as a nat chain has decided.
func (t *tracer) translate(p *packet.Packet, way *netfilter.Passage) {
	var nats []*netfilter.Translation
	for _, e := range way.Endings {
		if !slices.ContainsFunc(nats, func(n *netfilter.Translation) bool { return n == e.NAT || n != nil && e.NAT != nil && *n == *e.NAT }) {
			nats = append(nats, e.NAT)
		}
	}
	if len(nats) != 1 {
		for _, e := range way.Endings {
			t.doubt(e.Place, "whether it applies depends on facts that are not known")
		}
		return
	}
	n := nats[0]
	if n == nil {
		return
	}
	before := *p
	addr, port := &p.Dst, &p.DstPort
	link := p.In
	if n.Side == packet.Source {
		addr, port, link = &p.Src, &p.SrcPort, p.Out
	}
	if n.Own {
		*addr = t.AddressOn(link, *addr)
	} else if n.To.Addr().IsValid() {
		*addr = n.To.Addr()
	}
	if n.To.Port() != 0 {
		*port = int(n.To.Port())
	}
	p.Conn.Bound[n.Side] = true
	// The kernel sets the states DNAT and SNAT only if an address or a port has changed.
	if n.Side == packet.Source {
		p.Conn.SNAT = before.Src != p.Src || before.SrcPort != p.SrcPort
		p.Conn.Answer.Dst = netip.AddrPortFrom(p.Src, uint16(p.SrcPort))
		t.chainHop(way, "source becomes %s by %s", p.Src, way.Endings[0].Place)
		return
	}
	p.Conn.DNAT = before.Dst != p.Dst || before.DstPort != p.DstPort
	p.Conn.Answer.Src = netip.AddrPortFrom(p.Dst, uint16(p.DstPort))
	t.chainHop(way, "DNAT to %s by %s", p.Conn.Answer.Src, way.Endings[0].Place)
}

// local reports whether an address is the docker host's own.
func (t *tracer) local(a netip.Addr) bool { return t.env.AddrType(a, "") == "LOCAL" }

// forwarding checks the sysctl that turns on forwarding.
func (t *tracer) forwarding(p *packet.Packet) {
	name := "net.ipv4.ip_forward"
	if p.Family == packet.IPv6 {
		name = "net.ipv6.conf.all.forwarding"
	}
	if t.Sysctl[name] == "0" {
		t.blocked(Routing, "%s is 0: the docker host forwards no packets", name)
	}
}

// route returns the packet's route. If there is none it adds an obstacle and returns nil.
func (t *tracer) route(p *packet.Packet) *netfacts.Route {
	r, doubt := t.RouteFor(p.Src, p.Dst, p.In)
	if doubt != "" {
		t.doubt(netfilter.Place{Text: doubt}, "it may choose another route")
	}
	if r == nil || slices.Contains([]string{"unreachable", "blackhole", "prohibit"}, r.Type) {
		t.blocked(Routing, "no route to %s", p.Dst)
		return nil
	}
	return r
}

func endpoint(a netip.Addr, port int) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, uint16(port)).String()
}

// describe returns a packet for people: "tcp 10.0.0.1:50123 -> 10.0.0.2:80".
func describe(p *packet.Packet) string {
	protocol := map[int]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "icmpv6"}[p.Proto]
	return strings.TrimSpace(fmt.Sprintf("%s %s -> %s", protocol, endpoint(p.Src, p.SrcPort), endpoint(p.Dst, p.DstPort)))
}
