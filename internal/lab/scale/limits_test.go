//go:build e2e

package scale_test

import (
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/scale"
)

// Issue 5, line 3: 200 machines in 5 s and 100 MiB, 1,000 in 5.5 times as long.
func TestLimits(t *testing.T) {
	const few, many = 200, 1000
	for name, look := range map[string]func(*testing.T, *scale.Fleet, int) run{"doctor": doctor, "ls": ls} {
		t.Run(name, func(t *testing.T) {
			small, large := look(t, fleet(t, host.Linux, few), few), look(t, fleet(t, host.Linux, many), many)
			if small.took > 5*time.Second {
				t.Errorf("%d machines took %s", few, small.took)
			}
			if ratio := large.took.Seconds() / small.took.Seconds(); ratio > 5.5 {
				t.Errorf("%d machines took %.1f times as long as %d", many, ratio, few)
			}
			if m := max(small.memory, large.memory); m > 100<<20 {
				t.Errorf("%d MiB", m>>20)
			}
		})
	}
}
