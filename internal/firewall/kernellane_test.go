//go:build e2e && linux

package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// lane is client, router and server.
type lane struct {
	*testing.T
	client, router, server netns.NS
	v6                     bool
	world                  rulesets.World // what random rules are about
	network                rulesets.Network
	senders                map[sender]int // raw sockets
	arrive                 []int          // raw sockets at which packets arrive
	port                   int            // the next source port
}

func (l *lane) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// newLane makes a lane for random rulesets.
func newLane(t *testing.T, v6 bool) *lane {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	network := rulesets.Network{
		In: "in0", Out: "out0", RouterIn: []netip.Prefix{p("10.1.1.1/24"), p("2001:db8:1::1/64")}, RouterOut: []netip.Prefix{p("10.2.2.1/24"), p("2001:db8:2::1/64")},
		Clients: []netip.Addr{a("10.1.1.2"), a("2001:db8:1::2")}, Server: []netip.Addr{a("10.2.2.2"), a("2001:db8:2::2")},
	}
	l := laneOf(t, network, v6)
	l.world = rulesets.World{Client: "10.1.1.2", Router: "10.1.1.1", Server: "10.2.2.2", ClientNet: "10.1.1.0/24", ServerNet: "10.2.2.0/24", In: "in0", Out: "out0"}
	if v6 {
		l.world = rulesets.World{IPv6: true, Client: "2001:db8:1::2", Router: "2001:db8:1::1", Server: "2001:db8:2::2", ClientNet: "2001:db8:1::/64", ServerNet: "2001:db8:2::/64", In: "in0", Out: "out0"}
	}
	return l
}

// MACs of the interfaces, from the client to the server.
var laneMACs = [4]string{"02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "02:00:00:00:00:04"}

// testMark is that of the test's own packets: nothing else leaves a client or a server, so that
// no answer is counted.
const testMark = 0x7e57

// withConntrack has the kernel track connections. Without a rule that needs it it does not, and
// then no packet sees a nat chain.
const withConntrack = "table inet lane { chain conntrack { ct state new; }; }\n"

// laneOf makes the namespaces, with neighbor entries that never expire.
func laneOf(t *testing.T, network rulesets.Network, v6 bool) *lane {
	l := &lane{T: t, v6: v6, network: network, port: 20000, senders: map[sender]int{}}
	name := fmt.Sprintf("dvh-k%d-%d-", os.Getpid(), time.Now().UnixNano()%1e6)
	l.client, l.router, l.server = netns.NS(name+"c"), netns.NS(name+"r"), netns.NS(name+"s")
	ctx := context.Background()
	t.Cleanup(func() {
		for _, fd := range l.senders {
			_ = unix.Close(fd)
		}
		for _, fd := range l.arrive {
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
	l.must(netns.Veth(ctx, l.client, "eth0", l.router, network.In))
	l.must(netns.Veth(ctx, l.router, network.Out, l.server, "eth0"))
	l.must(l.client.IP(ctx, "link set eth0 address "+laneMACs[0]+" up"))
	l.must(l.router.IP(ctx, "link set "+network.In+" address "+laneMACs[1]+" up", "link set "+network.Out+" address "+laneMACs[2]+" up"))
	l.must(l.server.IP(ctx, "link set eth0 address "+laneMACs[3]+" up"))
	l.side(l.client, network.In, laneMACs[0], laneMACs[1], network.RouterIn, network.Clients)
	l.side(l.server, network.Out, laneMACs[3], laneMACs[2], network.RouterOut, network.Server)
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		l.must(l.router.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte("1"), 0) }))
	}
	for _, tool := range []string{"iptables", "ip6tables"} {
		for _, n := range []netns.NS{l.client, l.server} {
			l.must(n.Command(ctx, tool, "-A", "OUTPUT", "-m", "mark", "!", "--mark", fmt.Sprint(testMark), "-j", "DROP").Run())
		}
	}
	l.run(l.router, withConntrack, "nft", "-f", "-")
	for _, n := range []netns.NS{l.client, l.router, l.server} {
		for _, proto := range []int{packet.TCP, packet.UDP, l.icmp()} {
			l.arrive = append(l.arrive, l.socket(n, proto))
		}
	}
	return l
}

// side gives the router and the namespace at one end of it their addresses.
func (l *lane) side(end netns.NS, link, mac, routerMAC string, router []netip.Prefix, addresses []netip.Addr) {
	ctx := context.Background()
	for _, p := range router {
		suffix := ""
		if p.Addr().Is6() {
			suffix = " nodad"
		}
		l.must(l.router.IP(ctx, "addr add "+p.String()+" dev "+link+suffix))
		for _, a := range addresses {
			if p.Contains(a) {
				l.must(end.IP(ctx, fmt.Sprintf("addr add %s/%d dev eth0%s", a, p.Bits(), suffix)))
				l.must(l.router.IP(ctx, "neigh add "+a.String()+" lladdr "+mac+" dev "+link+" nud permanent"))
			}
		}
		// What nothing was given an address of its family for has no route either.
		if slices.ContainsFunc(addresses, p.Contains) {
			l.must(end.IP(ctx, "neigh add "+p.Addr().String()+" lladdr "+routerMAC+" dev eth0 nud permanent", "route add default via "+p.Addr().String()))
		}
	}
}

func (l *lane) icmp() int {
	if l.v6 {
		return packet.ICMPv6
	}
	return packet.ICMP
}

// socket opens a raw socket inside a namespace.
func (l *lane) socket(n netns.NS, proto int) (fd int) {
	family := unix.AF_INET
	if l.v6 {
		family = unix.AF_INET6
	}
	l.must(n.Do(func() (err error) {
		fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
		return err
	}))
	return fd
}

// sender is a raw socket that packets are sent from.
type sender struct {
	from  netns.NS
	proto int
	src   netip.Addr
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16()}
	}
	return &unix.SockaddrInet4{Addr: a.As4()}
}

// segment is the header of a first packet, with its checksum: conntrack looks at it. id is in
// what no translation of addresses changes.
func segment(proto int, src, dst netip.AddrPort, id uint32) []byte {
	b := make([]byte, map[int]int{packet.TCP: 20}[proto], 20)
	at := 6
	switch proto {
	case packet.TCP:
		binary.BigEndian.PutUint32(b[4:], id)
		b[12], b[13], at = 5<<4, byte(packet.SYN), 16
		binary.BigEndian.PutUint16(b[14:], 1024)
	case packet.UDP:
		b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0, 0, 12, 0, 0), id)
	case packet.ICMP:
		b, at = binary.BigEndian.AppendUint32(append(b, 8, 0, 0, 0, 0, 1, 0, 1), id), 2
	case packet.ICMPv6:
		b, at = binary.BigEndian.AppendUint32(append(b, 128, 0, 0, 0, 0, 1, 0, 1), id), 2
	}
	sum := uint32(0)
	parts := [][]byte{b}
	if proto == packet.TCP || proto == packet.UDP {
		binary.BigEndian.PutUint16(b, src.Port())
		binary.BigEndian.PutUint16(b[2:], dst.Port())
	} else {
		binary.BigEndian.PutUint16(b[4:], src.Port())
	}
	if proto != packet.ICMP {
		sum, parts = uint32(proto+len(b)), [][]byte{src.Addr().AsSlice(), dst.Addr().AsSlice(), b}
	}
	for _, part := range parts {
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

// emit sends a packet from one of the namespaces.
func (l *lane) emit(from netns.NS, p packet.Packet, id uint32) {
	key := sender{from, p.Proto, p.Src}
	fd, ok := l.senders[key]
	if !ok {
		fd = l.socket(from, p.Proto)
		l.senders[key] = fd
		if from != l.router {
			l.must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, testMark))
		}
		l.must(unix.Bind(fd, sockaddr(p.Src)))
	}
	src, dst := netip.AddrPortFrom(p.Src, uint16(p.SrcPort)), netip.AddrPortFrom(p.Dst, uint16(p.DstPort))
	err := unix.Sendto(fd, segment(p.Proto, src, dst, id), 0, sockaddr(p.Dst))
	// On the router itself a filter that drops the packet may answer the sender.
	if from == l.router && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ECONNREFUSED)) {
		return
	}
	l.must(err)
}

// arrived is the namespace to whose sockets the packet with that id has come.
func (l *lane) arrived(id uint32) (at netns.NS) {
	buffer := make([]byte, 2048)
	for i, fd := range l.arrive {
		for {
			n, _, err := unix.Recvfrom(fd, buffer, 0)
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			l.must(err)
			offset := 0
			if !l.v6 {
				offset = int(buffer[0]&15) * 4
			}
			if i%3 == 0 { // TCP
				offset += 4
			} else {
				offset += 8
			}
			if kind := buffer[max(0, offset-8)]; i%3 == 2 && kind != 8 && kind != 128 {
				continue // the answer to an echo request
			}
			if n >= offset+4 && binary.BigEndian.Uint32(buffer[offset:]) == id {
				at = []netns.NS{l.client, l.router, l.server}[i/3]
			}
		}
	}
	return at
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
