//go:build e2e && linux

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// probed is what `reach --probe --json` prints of its one probe.
type probed struct {
	Probes []struct {
		Outcome  string
		Counters []struct {
			At      string
			Packets int
		}
	}
}

// seen is the outcome and the places that have counted a packet.
func (p probed) seen() []string {
	if len(p.Probes) != 1 {
		return nil
	}
	all := []string{p.Probes[0].Outcome}
	for _, c := range p.Probes[0].Counters {
		if c.Packets > 0 {
			all = append(all, c.At)
		}
	}
	return all
}

func TestReachProbe(t *testing.T) {
	s := contest(t)
	// iptables of the nft backend leaves tables of its own behind, empty.
	const rules = allRules + " | grep -e '^-A'"
	before := s.root(rules)
	const arrives, forwarded, leaves, answer, out = "arrives at the docker host", "is to be forwarded", "leaves for the container", "the container's answer arrives", "the answer leaves for the client"
	probe := func(name, container string, want ...string) {
		t.Helper()
		var p probed
		s.decode(s.helper("--json", "reach", container, "-H", "default", "--from", "lan", "--probe").Stdout, &p)
		if diff := cmp.Diff(want, p.seen()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	probe("web1", "web1", "connected", arrives, forwarded, leaves, answer, out)
	probe("a rule of DOCKER-USER drops", "web2", "timed out", arrives, forwarded)
	s.same("rules", before, s.root(rules))
	s.root("iptables -I DOCKER-USER 1 -j ACCEPT; ip neigh flush all")
	probe("ARP is dropped", "web2", "unreachable", arrives, forwarded, leaves)
	s.root("iptables -D DOCKER-USER 1")
	if text := s.helper("reach", "web2", "-H", "default", "--from", "local", "--probe"); text.Exit != 2 {
		t.Errorf("--from local: exit %d\n%s", text.Exit, text.Stderr)
	}

	// A probe that is killed leaves its rules to the docker host.
	instants := seeded(t)
	began := time.Now()
	probe("not killed", "web2", "timed out", arrives, forwarded)
	took, left := time.Since(began), 0
	for range runs(50) {
		ctx, cancel := context.WithTimeout(s.ctx(), time.Duration(instants.Int64N(int64(took))))
		_ = s.lab.Command(ctx, "docker-vpn-helper", "reach", "web2", "-H", "default", "--from", "lan", "--probe").Run() // killed
		cancel()
		left = max(left, strings.Count(s.root("iptables-save"), "dvh-probe"))
	}
	t.Logf("a probe takes %v; up to %d rules were left at first", took.Round(time.Millisecond), left)
	if left == 0 {
		t.Error("no probe was killed while its rules were there")
	}
	s.must(await.Until(s.ctx(), "the docker host to remove all rules of probes", func() (bool, error) {
		return !strings.Contains(s.root("iptables-save"), "dvh-probe"), nil
	}))
	s.same("rules", before, s.root(rules))
}
