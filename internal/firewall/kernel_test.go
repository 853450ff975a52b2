//go:build e2e && linux

package firewall

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/nft"
)

// The evaluator against the kernel: random rulesets are loaded into a router between two
// network namespaces, real packets are sent, and the kernel's counters are the oracle. What is
// said to decide must have counted the packet, and the packet arrives if it is said to.

// lane is client, router and server.
type lane struct {
	*testing.T
	client, router, server netns.NS
	v6                     bool
	world                  rulesets.World
	send                   [2]int // raw sockets of the client: TCP, UDP
	arrive                 [4]int // of the router and the server
	port                   int    // the next source port
}

func (l *lane) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// newLane makes the namespaces, with neighbor entries that never expire.
func newLane(t *testing.T, v6 bool) *lane {
	l := &lane{T: t, v6: v6, port: 20000}
	name := fmt.Sprintf("dvh-k%d-%d-", os.Getpid(), time.Now().UnixNano()%1e6)
	l.client, l.router, l.server = netns.NS(name+"c"), netns.NS(name+"r"), netns.NS(name+"s")
	ctx := context.Background()
	t.Cleanup(func() {
		for _, fd := range append(l.send[:], l.arrive[:]...) {
			_ = unix.Close(fd)
		}
		for _, n := range []netns.NS{l.client, l.router, l.server} {
			if err := n.Delete(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	for _, n := range []netns.NS{l.client, l.router, l.server} {
		l.must(n.Add(ctx))
	}
	l.must(netns.Veth(ctx, l.client, "eth0", l.router, "in0"))
	l.must(netns.Veth(ctx, l.router, "out0", l.server, "eth0"))
	l.world = rulesets.World{Client: "10.1.1.2", Router: "10.1.1.1", Server: "10.2.2.2", ClientNet: "10.1.1.0/24", ServerNet: "10.2.2.0/24", In: "in0", Out: "out0"}
	via, bits := "10.2.2.1", "24"
	if v6 {
		l.world = rulesets.World{IPv6: true, Client: "2001:db8:1::2", Router: "2001:db8:1::1", Server: "2001:db8:2::2", ClientNet: "2001:db8:1::/64", ServerNet: "2001:db8:2::/64", In: "in0", Out: "out0"}
		via, bits = "2001:db8:2::1", "64 nodad"
	}
	w := l.world
	const a, b, c, d = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "02:00:00:00:00:04"
	l.must(l.client.IP(ctx, "link set eth0 address "+a+" up", "addr add "+w.Client+"/"+bits+" dev eth0", "route add "+w.ServerNet+" via "+w.Router, "neigh add "+w.Router+" lladdr "+b+" dev eth0 nud permanent"))
	l.must(l.router.IP(ctx, "link set in0 address "+b+" up", "link set out0 address "+c+" up", "addr add "+w.Router+"/"+bits+" dev in0", "addr add "+via+"/"+bits+" dev out0",
		"neigh add "+w.Client+" lladdr "+a+" dev in0 nud permanent", "neigh add "+w.Server+" lladdr "+d+" dev out0 nud permanent"))
	l.must(l.server.IP(ctx, "link set eth0 address "+d+" up", "addr add "+w.Server+"/"+bits+" dev eth0"))
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		l.must(l.router.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte("1"), 0) }))
	}
	// Answers would count, too.
	for _, tool := range []string{"iptables", "ip6tables"} {
		l.must(l.server.Command(ctx, tool, "-A", "OUTPUT", "-j", "DROP").Run())
	}
	l.sockets()
	return l
}

func (l *lane) sockets() {
	family := unix.AF_INET
	if l.v6 {
		family = unix.AF_INET6
	}
	open := func(n netns.NS, proto int) (fd int) {
		l.must(n.Do(func() (err error) {
			fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
			return err
		}))
		return fd
	}
	l.send = [2]int{open(l.client, netfilter.TCP), open(l.client, netfilter.UDP)}
	l.arrive = [4]int{open(l.router, netfilter.TCP), open(l.router, netfilter.UDP), open(l.server, netfilter.TCP), open(l.server, netfilter.UDP)}
}

// segment is the header of a first packet, with its checksum: conntrack looks at it.
func segment(proto int, src, dst netip.AddrPort) []byte {
	size := 20
	if proto == netfilter.UDP {
		size = 8
	}
	b := make([]byte, size)
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	at := 6
	if proto == netfilter.TCP {
		binary.BigEndian.PutUint32(b[4:], 1000)
		b[12], b[13], at = 5<<4, byte(netfilter.SYN), 16
		binary.BigEndian.PutUint16(b[14:], 1024)
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(size))
	}
	sum := uint32(proto + size)
	for _, part := range [][]byte{src.Addr().AsSlice(), dst.Addr().AsSlice(), b} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(part[i])<<8 | uint32(part[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[at:], ^uint16(sum))
	return b
}

func (l *lane) emit(p netfilter.Packet) {
	src, dst := netip.AddrPortFrom(p.Src, uint16(p.SrcPort)), netip.AddrPortFrom(p.Dst, uint16(p.DstPort))
	fd := l.send[0]
	if p.Proto == netfilter.UDP {
		fd = l.send[1]
	}
	var to unix.Sockaddr
	if l.v6 {
		to = &unix.SockaddrInet6{Addr: dst.Addr().As16()}
	} else {
		to = &unix.SockaddrInet4{Addr: dst.Addr().As4()}
	}
	l.must(unix.Sendto(fd, segment(p.Proto, src, dst), 0, to))
}

// arrived reports whether a packet with that source port has come to the router's or the
// server's sockets.
func (l *lane) arrived(port int) bool {
	buffer, found := make([]byte, 2048), false
	for _, fd := range l.arrive {
		for {
			n, _, err := unix.Recvfrom(fd, buffer, 0)
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			l.must(err)
			at := 0
			if !l.v6 {
				at = int(buffer[0]&15) * 4
			}
			found = found || n >= at+4 && int(binary.BigEndian.Uint16(buffer[at:])) == port
		}
	}
	return found
}

// counters are the packets counted, by "table chain rule"; rule 0 is the policy.
type counters map[string]int

func key(table, chain string, rule int) string { return fmt.Sprintf("%s %s %d", table, chain, rule) }

func parseCounters(text string) counters {
	c, table, numbers := counters{}, "", map[string]int{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		count := func(s string) int {
			n, _ := strconv.Atoi(strings.Trim(strings.SplitN(s, ":", 2)[0], "[]"))
			return n
		}
		switch {
		case len(fields) == 0:
		case fields[0][0] == '*':
			table, numbers = fields[0][1:], map[string]int{}
		case fields[0][0] == ':' && len(fields) == 3:
			c[key(table, fields[0][1:], 0)] = count(fields[2])
		case fields[0][0] == '[' && len(fields) > 2:
			numbers[fields[2]]++
			c[key(table, fields[2], numbers[fields[2]])] = count(fields[0])
		}
	}
	return c
}

func (l *lane) run(n netns.NS, stdin string, argv ...string) string {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := n.Command(ctx, argv...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		l.Fatalf("%v: %v\n%s", argv, err, stdin)
	}
	return string(out)
}

// score is what a comparison found.
type score struct{ rulesets, packets, blocked, unknown, wrong int }

func (s score) String() string {
	return fmt.Sprintf("%d rulesets, %d packets: %d blocked, %d cannot tell (%.1f %%), %d wrong", s.rulesets, s.packets, s.blocked, s.unknown, 100*float64(s.unknown)/float64(max(1, s.packets)), s.wrong)
}

// filter is a packet filter of the router: how it is loaded and read.
type filter struct {
	load  func(text string)
	read  func() (saved string)
	parse func(saved string) ([]*netfilter.Table, error)
	count func(saved string) counters
}

// xtables is iptables, or ip6tables, of a backend.
func (l *lane) xtables(backend netfilter.Backend) filter {
	tool := netfilter.IPTables
	if l.v6 {
		tool = netfilter.IP6Tables
	}
	program := string(tool) + "-" + string(backend)
	return filter{
		load: func(text string) { l.run(l.router, text, program+"-restore") },
		read: func() string { return l.run(l.router, "", program+"-save", "-c") },
		parse: func(saved string) ([]*netfilter.Table, error) {
			return netfilter.ParseSave(tool, backend, []byte(saved))
		},
		count: parseCounters,
	}
}

// native is nft, with what iptables-restore-translate makes of a ruleset: rules that it cannot
// write are left out.
func (l *lane) native() filter {
	translate := "iptables-restore-translate"
	if l.v6 {
		translate = "ip6tables-restore-translate"
	}
	return filter{
		load: func(text string) {
			file := filepath.Join(l.TempDir(), "rules")
			text = strings.ReplaceAll(text, `\"`, "") // which it does not escape
			l.must(os.WriteFile(file, []byte(text), 0o600))
			var native strings.Builder
			native.WriteString("flush ruleset\n")
			for line := range strings.Lines(l.run(l.router, "", translate, "-f", file)) {
				if !strings.Contains(line, " proto-dst ") { // nft 1.0.6 takes it only behind "ct original protocol"
					native.WriteString(line)
				}
			}
			l.run(l.router, native.String(), "nft", "-f", "-")
		},
		read: func() string { return l.run(l.router, "", "nft", "-j", "list", "ruleset") },
		parse: func(saved string) ([]*netfilter.Table, error) {
			return nft.Parse([]byte(saved), func(string, string) bool { return false })
		},
		count: nftCounters,
	}
}

// nftCounters are those of the rules; policies have none.
func nftCounters(text string) counters {
	var list struct {
		Nftables []struct {
			Rule *struct {
				Table, Chain string
				Expr         []struct{ Counter *struct{ Packets int } }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		panic(err)
	}
	c, numbers := counters{}, map[string]int{}
	for _, o := range list.Nftables {
		if o.Rule == nil {
			continue
		}
		at := o.Rule.Table + " " + o.Rule.Chain
		numbers[at]++
		for _, e := range o.Rule.Expr {
			if e.Counter != nil {
				c[key(o.Rule.Table, o.Rule.Chain, numbers[at])] = e.Counter.Packets
			}
		}
	}
	return c
}

func (l *lane) compare(f filter, seed uint64, n int) (s score) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		text := rulesets.IP(r, &l.world)
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
func (l *lane) facts(tables []*netfilter.Table) *Facts {
	p := netip.MustParsePrefix
	f := &Facts{Tables: tables, Docker: true, Containers: []Container{{Name: "server", PID: 1, Addresses: []Address{{Network: "net", Addr: netip.MustParseAddr(l.world.Server)}}}}}
	own, via, bits := l.world.Router, "10.2.2.1", "/24"
	if l.v6 {
		via, bits = "2001:db8:2::1", "/64"
	}
	f.Links = []Link{{Name: "lo"}, {Name: "in0", Addresses: []netip.Prefix{p(own + bits)}}, {Name: "out0", Addresses: []netip.Prefix{p(via + bits)}}}
	f.Routes = []Route{
		{Dst: p(l.world.ClientNet), Link: "in0", Table: "main", Type: "unicast"}, {Dst: p(l.world.ServerNet), Link: "out0", Table: "main", Type: "unicast"},
	}
	return f
}

// packet sends one packet and compares what the kernel counts with what is said to decide.
func (l *lane) packet(r *rand.Rand, tables []*netfilter.Table, from filter, before counters, text string, s *score) counters {
	f := l.facts(tables)
	t := &tracer{Facts: f, target: &f.Containers[0], skip: map[netfilter.Place]bool{}}
	t.env = f.Env(netfilter.IPv4)
	dst := l.world.Server
	if r.IntN(3) == 0 {
		dst = l.world.Router
	}
	p := t.newPacket("in0", netip.MustParseAddr(l.world.Client), netip.MustParseAddr(dst), []int{netfilter.TCP, netfilter.UDP}[r.IntN(2)], rulesets.Ports[r.IntN(len(rulesets.Ports))])
	l.port++
	p.SrcPort, p.TTL = l.port, 64
	p.Conn.Orig.Src = netip.AddrPortFrom(p.Src, uint16(l.port))
	t.received(p)
	s.packets++

	var decided []netfilter.Place
	blocked, sure := false, true
	for _, h := range t.path {
		if strings.HasPrefix(h.At, "container ") {
			break
		}
		if h.By == nil && !strings.HasPrefix(h.At, "in by") {
			sure = false // several rules may decide
		}
		if h.By != nil && sure {
			decided = append(decided, *h.By)
		}
		if strings.HasPrefix(h.What, "DROP by") {
			blocked = true
			break
		}
	}
	l.emit(p)
	if len(t.doubts) > 0 {
		s.unknown++
		time.Sleep(2 * time.Millisecond)
		l.arrived(p.SrcPort)
		return from.count(from.read())
	}
	var after counters
	missing := "nothing"
	for end := time.Now().Add(time.Second); missing != "" && time.Now().Before(end); {
		after, missing = from.count(from.read()), ""
		for _, d := range decided {
			k := key(d.Table, d.Chain, d.Number)
			if _, counts := after[k]; counts && after[k] <= before[k] {
				missing = d.String()
			}
		}
	}
	arrived := l.arrived(p.SrcPort)
	for end := time.Now().Add(time.Second); !arrived && !blocked && time.Now().Before(end); arrived = l.arrived(p.SrcPort) {
		time.Sleep(time.Millisecond)
	}
	if blocked {
		s.blocked++
	}
	if missing != "" || arrived == blocked {
		s.wrong++
		var counted []string
		for k, n := range after {
			if n > before[k] {
				counted = append(counted, k)
			}
		}
		l.Errorf("%s\nblocked %v, arrived %v, not counted: %s\npath %v\ncounted %v\n%s", describe(&p), blocked, arrived, missing, t.path, counted, text)
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
