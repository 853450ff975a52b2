//go:build e2e

package scale_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/bench"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/scale"
)

var update = flag.Bool("update", false, "write docs/benchmarks.md")

// TestLimits measures what a whole store costs, for make bench: the goals are 200
// machines in 5 s and 100 MiB, and 1,000 in 5.5 times as long. Times are printed and
// never judged here: another computer's work is not the program's.
func TestLimits(t *testing.T) {
	const few, many = 200, 1000
	section := bench.Section{Title: bench.Stores, Command: "make bench"}
	for _, c := range []struct {
		name string
		look func(*testing.T, *scale.Fleet, int) run
	}{{"doctor --all", doctor}, {"ls", ls}} {
		t.Run(c.name, func(t *testing.T) {
			small, large := c.look(t, fleet(t, host.Linux, few), few), c.look(t, fleet(t, host.Linux, many), many)
			ratio, memory := large.took.Seconds()/small.took.Seconds(), max(small.memory, large.memory)
			for _, r := range []bench.Row{
				{What: fmt.Sprintf("`%s`, %d machines", c.name, few), Figure: small.took.Round(time.Millisecond).String(), Goal: "5 s", Missed: small.took > 5*time.Second},
				{What: fmt.Sprintf("`%s`, %d machines", c.name, many), Figure: fmt.Sprintf("%.1f times as long", ratio), Goal: "5.5 times", Missed: ratio > 5.5},
				{What: fmt.Sprintf("`%s`, memory", c.name), Figure: fmt.Sprintf("%d MiB at most", memory>>20), Goal: "100 MiB", Missed: memory > 100<<20},
			} {
				t.Logf("%s: %s (goal %s)", r.What, r.Figure, r.Goal)
				section.Rows = append(section.Rows, r)
			}
			if memory > 100<<20 {
				t.Errorf("%d MiB", memory>>20)
			}
		})
	}
	if *update {
		if err := bench.Write("../../../docs/benchmarks.md", section, bench.Machine()); err != nil {
			t.Error(err)
		}
	}
}
