package firewall

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is a Survey in short: who is open, what closes whom.
func seen(s *Survey) string {
	var lines []string
	for _, c := range s.Closed {
		lines = append(lines, string(c.Layer)+" "+c.Place.String()+" closes "+strings.Join(c.Containers, ","))
	}
	if len(s.Open) > 0 {
		lines = append(lines, "open: "+strings.Join(s.Open, ","))
	}
	if len(s.Unsure) > 0 {
		lines = append(lines, "unsure: "+strings.Join(s.Unsure, ","))
	}
	if len(s.Firewalls) > 0 {
		lines = append(lines, strings.Join(s.Firewalls, ","))
	}
	if s.Guarded {
		lines = append(lines, "guarded")
	}
	return strings.Join(lines, "\n")
}

func TestSurvey(t *testing.T) {
	const mangle = "*mangle\n:FORWARD ACCEPT [0:0]\n:DOCKER-PUB - [0:0]\n-A FORWARD -i eth0 -j DOCKER-PUB\n-A DOCKER-PUB -m conntrack --ctstate DNAT -j DROP\nCOMMIT\n"
	for name, c := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"plain": {nil, "open: web"},
		"drop": {
			map[string]string{rules: swapped(rules, "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -j DROP\n-A DOCKER-USER -j RETURN")},
			"l3 iptables-nft ip filter DOCKER-USER rule 1: -i eth0 -j DROP closes web",
		},
		"a rate limit": {
			map[string]string{rules: swapped(rules, "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -m limit --limit 1/second -j DROP\n-A DOCKER-USER -j RETURN")},
			"unsure: web",
		},
		"guard":                            {map[string]string{rules: mangle + plain[rules]}, "guarded"},
		"ufw":                              {map[string]string{rules: swapped(rules, ":DOCKER-USER - [0:0]", ":DOCKER-USER - [0:0]\n:ufw-user-input - [0:0]")}, "open: web\nufw"},
		"published for the host alone":     {map[string]string{"containers": strings.NewReplacer(`"0.0.0.0"`, `"127.0.0.1"`, `"::"`, `"::1"`).Replace(plain["containers"])}, ""},
		"stopped":                          {map[string]string{"containers": swapped("containers", `"pid":77`, `"pid":0`)}, ""},
		"nothing listens in the container": {map[string]string{"inside": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := NewSurvey(factsOf(t, c.changes))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, seen(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if factsOf(t, nil).Elsewhere() {
		t.Error("docker0 is there")
	}
	if !factsOf(t, map[string]string{"links": "1: lo: <LOOPBACK,UP> mtu 65536\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00"}).Elsewhere() {
		t.Error("docker0 is not there")
	}
}
