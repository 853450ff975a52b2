//go:build e2e && linux

package firewall

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// The evaluator against the kernel: random rulesets are loaded into a router between two
// network namespaces, real packets are sent, and the kernel's counters are the oracle. What is
// said to decide must have counted the packet, and the packet arrives if it is said to.

// score is what a comparison found.
type score struct{ rulesets, packets, blocked, unknown, wrong int }

func (s score) String() string {
	return fmt.Sprintf("%d rulesets, %d packets: %d blocked, %d cannot tell (%.1f %%), %d wrong", s.rulesets, s.packets, s.blocked, s.unknown, 100*float64(s.unknown)/float64(max(1, s.packets)), s.wrong)
}

func (l *lane) compare(f filter, seed uint64, n int) score {
	return l.compareThose(f, rulesets.IP, seed, n)
}

// compareThose compares rulesets that generate makes.
func (l *lane) compareThose(f filter, generate func(*rand.Rand, *rulesets.World) string, seed uint64, n int) (s score) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		text := generate(r, &l.world)
		f.load(text)
		saved := f.read()
		tables, err := f.parse(saved)
		l.must(err)
		s.rulesets++
		before := f.count(saved)
		for range 5 {
			before = l.packet(r, tables, f, before, text, &s)
			if s.wrong > 5 {
				return s
			}
		}
		if s.rulesets%100 == 0 {
			l.Log(s)
		}
	}
	return s
}

// facts is the router, with the server as a container.
func (l *lane) facts(tables []*netfilter.Table) *netfacts.Facts {
	p := netip.MustParsePrefix
	f := &netfacts.Facts{Tables: tables, Docker: true, Containers: []netfacts.Container{{Name: "server", PID: 1, Addresses: []netfacts.Address{{Network: "net", Addr: netip.MustParseAddr(l.world.Server)}}}}}
	own, via, bits := l.world.Router, "10.2.2.1", "/24"
	if l.v6 {
		via, bits = "2001:db8:2::1", "/64"
	}
	f.Links = []netfacts.Link{{Name: "lo"}, {Name: "in0", MAC: laneMACs[1], Addresses: []netip.Prefix{p(own + bits)}}, {Name: "out0", MAC: laneMACs[2], Addresses: []netip.Prefix{p(via + bits)}}}
	f.Routes = []netfacts.Route{
		{Dst: p(l.world.ClientNet), Link: "in0", Table: "main", Type: "unicast"}, {Dst: p(l.world.ServerNet), Link: "out0", Table: "main", Type: "unicast"},
	}
	return f
}

// packet draws one packet to the server or the router, and compares its way.
func (l *lane) packet(r *rand.Rand, tables []*netfilter.Table, from filter, before counters, text string, s *score) counters {
	f := l.facts(tables)
	t := l.tracer(f)
	dst := l.world.Server
	if r.IntN(3) == 0 {
		dst = l.world.Router
	}
	p := t.newPacket("in0", netip.MustParseAddr(l.world.Client), netip.MustParseAddr(dst), []int{packet.TCP, packet.UDP}[r.IntN(2)], rulesets.Ports[r.IntN(len(rulesets.Ports))])
	l.number(&p)
	p.SrcMAC, p.DstMAC = laneMACs[0], laneMACs[1]
	t.receive(p)
	return l.check(t, l.client, p, func() counters { return from.count(from.read()) }, before, text, s)
}

func (l *lane) tracer(f *netfacts.Facts) *tracer {
	t := &tracer{Facts: f, target: &f.Containers[0], skip: map[netfilter.Place]bool{}}
	t.env = f.Env(packet.IPv4)
	return t
}

// number gives a packet a source port of its own.
func (l *lane) number(p *packet.Packet) {
	l.port++
	if l.port > 60000 {
		l.port = 20000
	}
	p.SrcPort, p.TTL = l.port, 64
	p.Conn.Orig.Src = netip.AddrPortFrom(p.Src, uint16(l.port))
	p.Conn.Answer.Dst = p.Conn.Orig.Src
}

// destination is where a packet ends by its way: an address after all translations.
func destination(t *tracer, p packet.Packet) netip.Addr {
	to := p.Dst
	for _, h := range t.path {
		if strings.HasPrefix(h.At, "container ") || strings.HasPrefix(h.At, "docker-proxy") {
			break
		}
		if text, ok := strings.CutPrefix(h.What, "DNAT to "); ok {
			word, _, _ := strings.Cut(text, " ")
			if at, err := netip.ParseAddrPort(word); err == nil {
				to = at.Addr()
			} else {
				to = netip.MustParseAddr(word)
			}
		}
	}
	return to
}

// end is the namespace of an address, "" if there is none.
func (l *lane) end(a netip.Addr) netns.NS {
	switch {
	case slices.Contains(l.network.Clients, a):
		return l.client
	case slices.Contains(l.network.Server, a):
		return l.server
	case slices.ContainsFunc(slices.Concat(l.network.RouterIn, l.network.RouterOut), func(p netip.Prefix) bool { return p.Addr() == a }), a.IsLoopback():
		return l.router
	}
	return ""
}

// decisions are what is said to decide about the first packet, up to what drops it.
func decisions(t *tracer) (decided []netfilter.Place, blocked bool) {
	sure := true
	for _, h := range t.path {
		if strings.HasPrefix(h.At, "container ") || strings.HasPrefix(h.At, "docker-proxy") {
			break
		}
		if h.By == nil && !strings.HasPrefix(h.At, "in by") && !strings.HasPrefix(h.At, "from the docker host") {
			sure = false // several rules may decide
		}
		if h.By != nil && sure {
			decided = append(decided, *h.By)
		}
		if strings.HasPrefix(h.What, "DROP by") {
			return decided, true
		}
	}
	return decided, slices.ContainsFunc(t.obstacles, func(o Obstacle) bool { return o.Layer == Routing })
}

// check sends a packet whose way has been evaluated, and compares what the kernel counts with what
// is said to decide.
func (l *lane) check(t *tracer, from netns.NS, p packet.Packet, count func() counters, before counters, text string, s *score) counters {
	s.packets++
	decided, blocked := decisions(t)
	l.emit(from, p, uint32(s.packets))
	if len(t.doubts) > 0 {
		s.unknown++
		time.Sleep(2 * time.Millisecond)
		return count()
	}
	var after counters
	missing := "nothing"
	for end := time.Now().Add(time.Second); missing != "" && time.Now().Before(end); {
		after, missing = count(), ""
		for _, d := range decided {
			if _, counts := after[key(d)]; counts && after[key(d)] <= before[key(d)] {
				missing = d.String()
			}
		}
	}
	want := l.end(destination(t, p))
	if blocked {
		want = ""
	}
	arrived := l.arrived(uint32(s.packets))
	for end := time.Now().Add(time.Second); arrived == "" && want != "" && time.Now().Before(end); arrived = l.arrived(uint32(s.packets)) {
		time.Sleep(time.Millisecond)
	}
	if blocked {
		s.blocked++
	}
	if missing != "" || arrived != want {
		s.wrong++
		var counted []string
		for k, n := range after {
			if n > before[k] {
				counted = append(counted, k)
			}
		}
		l.Errorf("%s\nshould arrive at %q, arrived at %q, not counted: %s\npath %v\ncounted %v\n%s", describe(&p), want, arrived, missing, t.path, counted, text)
	}
	return after
}

// share is how much of the full comparison is made: all with DVH_SOAK=all, else a tenth.
func share(full int) int {
	if os.Getenv("DVH_SOAK") == "all" {
		return full
	}
	return full / 10
}

// seed is that of DVH_SEED, or a new one.
func seed(t *testing.T) uint64 {
	s := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("DVH_SEED"), 10, 64); err == nil {
		s = given
	}
	t.Logf("DVH_SEED=%d repeats this", s)
	return s
}

func TestKernelIP(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
			t.Run(fmt.Sprintf("v6=%v %s", v6, backend), func(t *testing.T) {
				l := newLane(t, v6)
				t.Log(l.compare(l.xtables(backend), seed(t), share(1000)))
			})
		}
	}
}

func TestKernelNFT(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			l := newLane(t, v6)
			t.Log(l.compare(l.native(), seed(t), share(1000)))
		})
	}
}
