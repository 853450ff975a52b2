package allowance

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
)

// A plan on a docker host with 300 containers takes a few seconds at most.
func TestPlanAmongManyContainers(t *testing.T) {
	f := computer(t, contestRules, contestFrames)
	for i := range 300 {
		c := f.Containers[2]
		c.Name, c.PID = fmt.Sprintf("c%d", i), 1000+i
		c.Addresses = []netfacts.Address{{Network: "my-net", Addr: netip.AddrFrom4([4]byte{10, 213, 214, byte(i % 250)})}}
		c.Published = []netfacts.Published{{Port: 80, HostIP: netip.IPv4Unspecified(), HostPort: 20000 + i}}
		f.Containers = append(f.Containers, c)
	}
	began := time.Now()
	p, err := New(f, Request{Container: "web2"})
	if err != nil || len(p.Allowances) != 1 {
		t.Fatal(p, err)
	}
	took := time.Since(began)
	t.Log(took)
	if took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}
