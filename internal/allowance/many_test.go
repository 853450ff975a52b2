package allowance

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
)

// BenchmarkPlan plans an allowance on a docker host with 300 containers.
func BenchmarkPlan(b *testing.B) {
	f := computer(b, contestRules, contestFrames)
	for i := range 300 {
		c := f.Containers[2]
		c.Name, c.PID = fmt.Sprintf("c%d", i), 1000+i
		c.Addresses = []netfacts.Address{{Network: "my-net", Addr: netip.AddrFrom4([4]byte{10, 213, 214, byte(i % 250)})}}
		c.Published = []netfacts.Published{{Port: 80, HostIP: netip.IPv4Unspecified(), HostPort: 20000 + i}}
		f.Containers = append(f.Containers, c)
	}
	for b.Loop() {
		if p, err := New(f, Request{Container: "web2"}); err != nil || len(p.Allowances) != 1 {
			b.Fatal(p, err)
		}
	}
}
