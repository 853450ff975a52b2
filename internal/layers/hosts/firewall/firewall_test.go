package firewall

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

func TestFindings(t *testing.T) {
	closed := func(layer firewall.Layer, text string, containers ...string) firewall.Closed {
		return firewall.Closed{Obstacle: firewall.Obstacle{Layer: layer, Place: netfilter.Place{Text: text}}, Containers: containers}
	}
	for name, c := range map[string]struct {
		state State
		want  string
	}{
		"skipped": {State{Skipped: "needs root"}, ""},
		"open":    {State{Survey: &firewall.Survey{Open: []string{"web"}}}, "ok firewall.ok no packet filter keeps clients outside from published ports"},
		"nothing": {State{Survey: &firewall.Survey{}}, "ok firewall.ok no container publishes a port to the outside"},
		"two obstacles": {
			State{Survey: &firewall.Survey{Closed: []firewall.Closed{closed(firewall.L3, "rule 1", "a", "b", "c", "d"), closed(firewall.Neighbors, "rule 2", "a")}}},
			"warn firewall.drops clients outside cannot reach a, b, c and others: rule 1 [docker-vpn-helper reach a -H local]\n" +
				"warn firewall.arp-drops the docker host cannot find a by ARP: rule 2 [docker-vpn-helper reach a -H local]",
		},
		"past ufw": {
			State{Survey: &firewall.Survey{Open: []string{"db"}, Firewalls: []string{"ufw"}}},
			"warn firewall.open-to-public ufw is active, but clients outside can still reach db [docker-vpn-helper explain firewall.open-to-public]",
		},
		"what guard leaves open is wanted": {
			State{Survey: &firewall.Survey{Open: []string{"db"}, Firewalls: []string{"ufw"}, Guarded: true}},
			"ok firewall.ok no packet filter keeps clients outside from published ports",
		},
		"guard is displaced": {
			State{Survey: &firewall.Survey{Guarded: true}, Drift: []guard.Drift{{Kind: "jump-missing", Text: "no jump"}}},
			"warn firewall.guard-drift guard is not in effect as installed: no jump [docker-vpn-helper guard start -H local]",
		},
		"unsure": {
			State{Survey: &firewall.Survey{Unsure: []string{"db"}}},
			"ok firewall.ok no rule certainly keeps clients outside from published ports; rules that cannot be evaluated, such as rate limits, decide about db",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, f := range c.state.Findings() {
				line := string(f.Status) + " " + f.Code + " " + f.Title
				if h := f.Hint.For("", "local").String(); h != "" {
					line += " [" + h + "]"
				}
				lines = append(lines, line)
			}
			if diff := cmp.Diff(c.want, strings.Join(lines, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
