//go:build e2e

package scale_test

import (
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/scale"
)

// TestLimits measures what a whole store costs, for make bench: the goals are 200
// machines in 5 s and 100 MiB, and 1,000 in 5.5 times as long. Times are printed and
// never judged here: another computer's work is not the program's.
func TestLimits(t *testing.T) {
	const few, many = 200, 1000
	for name, look := range map[string]func(*testing.T, *scale.Fleet, int) run{"doctor": doctor, "ls": ls} {
		t.Run(name, func(t *testing.T) {
			small, large := look(t, fleet(t, host.Linux, few), few), look(t, fleet(t, host.Linux, many), many)
			t.Logf("%s: %d machines %s (goal 5 s), %d machines %.1f times as long (goal 5.5)", name, few,
				small.took.Round(time.Millisecond), many, large.took.Seconds()/small.took.Seconds())
			if m := max(small.memory, large.memory); m > 100<<20 {
				t.Errorf("%d MiB", m>>20)
			}
		})
	}
}
