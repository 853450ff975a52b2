//go:build e2e && linux

package firewall

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/nft"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// nftOnly is a ruleset for nft as it is.
func (l *lane) nftOnly() filter {
	f := l.native()
	f.load = func(text string) { l.run(l.router, "flush ruleset\n"+withConntrack+text, "nft", "-f", "-") }
	f.parse = func(saved string) ([]*netfilter.Table, error) {
		tables, err := nft.Parse([]byte(saved), func(string, string) bool { return false })
		nft.AddDevices(tables, strings.Split(l.run(l.router, "", "nft", "list", "chains"), "\n"))
		return tables, err
	}
	return f
}

// TestKernelDevices compares chains that belong to an interface: netdev, and ingress of inet.
func TestKernelDevices(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			l := newLane(t, v6)
			t.Log(l.compareThose(l.nftOnly(), rulesets.Devices, seed(t), share(1000)))
		})
	}
}

// TestKernelARPFamily compares nft's family arp, which arptables-nft writes, too: the router looks
// for the server's hardware address before it sends.
func TestKernelARPFamily(t *testing.T) {
	l := newLane(t, false)
	from := l.nftOnly()
	r := rand.New(rand.NewPCG(seed(t), 0))
	var s score
	const gateway = "10.2.2.1"
	for range share(1000) {
		text := rulesets.ARP(r, &l.world, gateway, laneMACs[3])
		from.load(text)
		tables, err := from.parse(from.read())
		l.must(err)
		s.rulesets++
		s.packets++
		tr := l.tracer(l.facts(tables))
		server := netip.MustParseAddr(l.world.Server)
		tr.neighbor(frames{bridge: "out0", hostMAC: laneMACs[2], mac: laneMACs[3], gateway: netip.MustParseAddr(gateway), inside: server}, packet.Packet{Family: packet.IPv4})
		_ = l.router.IP(context.Background(), "neigh del "+l.world.Server+" dev out0")
		p := tr.newPacket("", netip.MustParseAddr(gateway), server, packet.UDP, 9999)
		l.emit(l.router, p, uint32(s.packets))
		blocked := len(tr.obstacles) > 0
		if blocked {
			s.blocked++
			time.Sleep(20 * time.Millisecond)
		}
		arrived := l.arrived(uint32(s.packets)) != ""
		for end := time.Now().Add(2 * time.Second); !arrived && !blocked && time.Now().Before(end); arrived = l.arrived(uint32(s.packets)) != "" {
			time.Sleep(time.Millisecond)
		}
		if len(tr.doubts) > 0 {
			s.unknown++
		} else if arrived == blocked {
			s.wrong++
			t.Errorf("blocked %v, arrived %v\npath %v\n%s", blocked, arrived, tr.path, text)
		}
		if s.wrong > 5 {
			break
		}
	}
	t.Log(s)
}
