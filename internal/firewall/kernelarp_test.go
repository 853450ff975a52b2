//go:build e2e && linux

package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

// tap is a packet socket on one interface.
type tap struct{ fd, link int }

// openTap opens a packet socket for ARP inside a namespace.
func openTap(n netns.NS, link string) (t tap, err error) {
	err = n.Do(func() error {
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		arp := int(binary.BigEndian.Uint16([]byte{0x06, 0x08}))
		t.link = i.Index
		if t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, arp); err != nil {
			return err
		}
		return unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: uint16(arp), Ifindex: i.Index})
	})
	return t, err
}

// arpFrame is a frame as it is on the wire; mark tells it from others.
func arpFrame(p packet.Packet, mark uint32) []byte {
	src, _ := net.ParseMAC(p.SrcMAC)
	dst, _ := net.ParseMAC(p.DstMAC)
	b := append(append([]byte{}, dst...), src...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, byte(p.ARPOp))
	b = append(append(b, src...), p.Src.AsSlice()...)
	b = binary.BigEndian.AppendUint32(append(b, 2, 2), mark)
	return append(b, p.Dst.AsSlice()...)
}

// sees reports whether a frame with that mark has come to the socket, not from itself.
func (t tap) sees(mark uint32) bool {
	buffer, found := make([]byte, 2048), false
	for {
		n, from, err := unix.Recvfrom(t.fd, buffer, 0)
		if errors.Is(err, syscall.EAGAIN) || err != nil {
			return found
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		found = found || ok && ll.Pkttype != unix.PACKET_OUTGOING && n >= 42 && binary.BigEndian.Uint32(buffer[34:]) == mark
	}
}

// TestKernelARP compares rulesets of ebtables: ARP to the docker host, from it, and between
// two ports of its bridge.
func TestKernelARP(t *testing.T) {
	ctx := context.Background()
	name := fmt.Sprintf("dvh-a%d-", os.Getpid())
	a, b, host := netns.NS(name+"a"), netns.NS(name+"b"), netns.NS(name+"h")
	l := &lane{T: t, router: host}
	t.Cleanup(func() {
		for _, n := range []netns.NS{a, b, host} {
			if err := n.Delete(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	for _, n := range []netns.NS{a, b, host} {
		l.must(n.Add(ctx))
	}
	const own = "02:00:00:00:01:00"
	w := rulesets.Bridge{Name: "br0", Ports: [2]string{"vea", "veb"}, MACs: [2]string{"02:00:00:00:01:01", "02:00:00:00:01:02"}, Addrs: [2]string{"10.3.3.2", "10.3.3.3"}, Own: "10.3.3.1", Net: "10.3.3.0/24"}
	l.must(host.IP(ctx, "link add br0 address "+own+" type bridge", "link set br0 arp off up", "addr add 10.3.3.1/24 dev br0"))
	for i, n := range []netns.NS{a, b} {
		l.must(netns.Veth(ctx, host, w.Ports[i], n, "eth0"))
		l.must(host.IP(ctx, "link set "+w.Ports[i]+" master br0 up"))
		l.must(n.IP(ctx, "link set eth0 address "+w.MACs[i]+" arp off up"))
	}
	var taps [3]tap
	for i, at := range []struct {
		n    netns.NS
		link string
	}{{a, "eth0"}, {b, "eth0"}, {host, "br0"}} {
		var err error
		taps[i], err = openTap(at.n, at.link)
		l.must(err)
		defer unix.Close(taps[i].fd)
	}
	time.Sleep(100 * time.Millisecond) // the ports begin to forward
	r := rand.New(rand.NewPCG(seed(t), 0))
	var s score
	for range share(1000) {
		text := rulesets.Frames(r, &w)
		l.run(host, text, "ebtables-nft-restore")
		printed := l.run(host, "", "ebtables-nft-save", "-c")
		tables, err := saved.Parse(netfilter.EBTables, netfilter.NFTables, []byte(printed))
		l.must(err)
		before := frameCounters(printed)
		s.rulesets++
		for range 5 {
			s.packets++
			p := packet.Packet{Family: packet.ARP, Bridge: "br0", ARPOp: 1 + r.IntN(2), Mark: packet.NoMark,
				Src: netip.MustParseAddr([]string{w.Addrs[0], w.Own, "10.9.9.9"}[r.IntN(3)]), Dst: netip.MustParseAddr([]string{w.Addrs[1], w.Own}[r.IntN(2)])}
			hook, from, to := netfilter.Forward, taps[0], taps[1]
			p.In, p.Out, p.SrcMAC, p.DstMAC = "vea", "veb", w.MACs[0], w.MACs[1]
			switch r.IntN(3) {
			case 0:
				hook, to, p.Out, p.DstMAC = netfilter.Input, taps[2], "", own
			case 1:
				hook, from, p.In, p.SrcMAC = netfilter.Output, taps[2], "", own
			}
			f := &netfacts.Facts{Tables: tables}
			tr := &tracer{Facts: f, env: f.Env(packet.IPv4), skip: map[netfilter.Place]bool{}}
			tr.frame(hook, Neighbors, p)
			mark := uint32(s.packets)
			l.must(unix.Sendto(from.fd, arpFrame(p, mark), 0, &unix.SockaddrLinklayer{Ifindex: from.link, Halen: 6}))
			before = l.frameDecided(&s, tr, to, mark, before, text)
			if s.wrong > 5 {
				return
			}
		}
		if s.rulesets%100 == 0 {
			t.Log(s)
		}
	}
}

func frameCounters(printed string) counters {
	c := counters{}
	c.addSaved(netfilter.EBTables, netfilter.NFTables, printed)
	return c
}

// frameDecided compares one frame's way with what the kernel did.
func (l *lane) frameDecided(s *score, tr *tracer, to tap, mark uint32, before counters, text string) counters {
	if len(tr.doubts) > 0 {
		s.unknown++
		time.Sleep(2 * time.Millisecond)
		return frameCounters(l.run(l.router, "", "ebtables-nft-save", "-c"))
	}
	blocked := len(tr.obstacles) > 0
	if blocked {
		s.blocked++
	}
	first := tr.path[0]
	var after counters
	for end := time.Now().Add(time.Second); ; {
		after = frameCounters(l.run(l.router, "", "ebtables-nft-save", "-c"))
		// Policies are not counted.
		if first.By == nil || first.By.Number == 0 || after[key(*first.By)] > before[key(*first.By)] {
			break
		}
		if time.Now().After(end) {
			s.wrong++
			l.Errorf("%s has not counted the frame\npath %v\n%s", first.By, tr.path, text)
			break
		}
	}
	arrived := to.sees(mark)
	for end := time.Now().Add(time.Second); !arrived && !blocked && time.Now().Before(end); arrived = to.sees(mark) {
		time.Sleep(time.Millisecond)
	}
	if arrived == blocked {
		s.wrong++
		var counted []string
		for k, n := range after {
			if n > before[k] {
				counted = append(counted, k)
			}
		}
		l.Errorf("blocked %v, arrived %v\npath %v\ncounted %s\n%s", blocked, arrived, tr.path, strings.Join(counted, ", "), text)
	}
	return after
}
