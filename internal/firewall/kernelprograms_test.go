//go:build e2e && linux

package firewall

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/rulesets"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// TestKernelPrograms compares what real programs write: ufw, firewalld, fail2ban, libvirt, Docker,
// kube-proxy. Their rules are read by the script that asks docker hosts.
func TestKernelPrograms(t *testing.T) {
	all, err := rulesets.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no recordings")
	}
	r := rand.New(rand.NewPCG(seed(t), 0))
	for _, recorded := range all {
		for _, v6 := range []bool{false, true} {
			if v6 && recorded.Saved["ip6tables-nft"] == "" && recorded.Saved["nft"] == "" {
				continue
			}
			for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
				if backend == netfilter.Legacy && recorded.Saved["iptables-nft"] == "" {
					continue
				}
				t.Run(fmt.Sprintf("%s v6=%v %s", recorded.Name, v6, backend), func(t *testing.T) {
					l := laneOf(t, recorded.Network, v6)
					l.program(recorded, backend, r)
				})
			}
		}
	}
}

// counted makes nft count what a rule decides. The text before a verdict is greedy, so that it
// is the rule's last one.
var counted = regexp.MustCompile(`(?m)^(\t\t(?:.* )?)((?:accept|drop|return|(?:jump|goto) \S+|reject|reject with .*|dnat .*|snat .*|masquerade.*|redirect.*)(?: comment ".*")?)$`)

// counts are the counters that rules name.
var counts = regexp.MustCompile(`--nfacct-name +(\S+)`)

// restore loads a recording into the router; iptables' rules go to the backend.
func (l *lane) restore(recorded rulesets.Recording, backend netfilter.Backend) {
	for _, a := range l.network.Clients {
		if a.Is6() == l.v6 {
			l.must(l.router.IP(context.Background(), "route replace default via "+a.String()))
		}
	}
	for _, m := range counts.FindAllStringSubmatch(recorded.Saved["iptables-nft"]+recorded.Saved["ip6tables-nft"], -1) {
		if !strings.Contains(l.run(l.router, "", "nfacct", "list"), m[1]) {
			l.run(l.router, "", "nfacct", "add", m[1])
		}
	}
	for _, tool := range []netfilter.Tool{netfilter.IPTables, netfilter.IP6Tables} {
		if text := recorded.Saved[string(tool)+"-nft"]; text != "" {
			if sets := recorded.Saved["ipset"]; sets != "" && tool == netfilter.IPTables {
				l.run(l.router, sets, "ipset", "restore")
			}
			l.run(l.router, text, string(tool)+"-"+string(backend)+"-restore")
		}
	}
	if text := recorded.Saved["nft"]; text != "" {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if !strings.Contains(line, " counter ") && !strings.Contains(line, " : ") && !strings.HasPrefix(line, "\t\ttype ") {
				lines[i] = counted.ReplaceAllString(line, "${1}counter $2")
			}
		}
		l.run(l.router, strings.Join(lines, "\n"), "nft", "-f", "-")
	}
}

// inRouter runs commands in the router's network namespace.
type inRouter struct {
	host.Host
	*lane
}

func (r inRouter) Run(_ context.Context, cmd host.Cmd) (host.Output, error) {
	return host.Output{Stdout: []byte(r.run(r.router, string(cmd.Stdin), cmd.Argv...))}, nil
}

// ask has the script for docker hosts read the router.
func (l *lane) ask() *netfacts.Facts {
	f, err := netfacts.CollectIfRoot(l.Context(), inRouter{lane: l}, "/nonexistent")
	l.must(err)
	server := netfacts.Container{Name: "server", PID: 1}
	for _, a := range l.network.Server {
		server.Addresses = append(server.Addresses, netfacts.Address{Network: "net", Addr: a})
	}
	f.Docker, f.Containers = true, []netfacts.Container{server}
	return f
}

// counting reads the counters of all that a recording has.
func (l *lane) counting(recorded rulesets.Recording, backend netfilter.Backend) func() counters {
	return func() counters {
		c := counters{}
		if recorded.Saved[string(l.tool())+"-nft"] != "" {
			c.addSaved(l.tool(), backend, l.run(l.router, "", string(l.tool())+"-"+string(backend)+"-save", "-c"))
		}
		if recorded.Saved["nft"] != "" {
			c.addNative(l.run(l.router, "", "nft", "-j", "list", "ruleset"))
		}
		return c
	}
}

// shot is one packet to be sent.
type shot struct {
	from     netns.NS
	in       string // "" for the router's own packets
	src, dst netip.Addr
	proto    int
	port     int
}

var portInRule = regexp.MustCompile(`(?:dport|dports|dport \{|:) ?([0-9]+)`)

// shots are packets in all directions, to the ports that the rules name and a few others.
func (l *lane) shots(recorded rulesets.Recording) []shot {
	n := l.network
	own := func(all []netip.Addr) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool { return a.Is6() != l.v6 })
	}
	router := func(all []netip.Prefix) (addresses []netip.Addr) {
		for _, p := range all {
			addresses = append(addresses, p.Addr())
		}
		return own(addresses)
	}
	clients, servers, near, far := own(n.Clients), own(n.Server), router(n.RouterIn), router(n.RouterOut)
	ports := []int{22, 80, 443, 8080, 53, 9999}
	for _, m := range portInRule.FindAllStringSubmatch(recorded.Saved["iptables-nft"]+recorded.Saved["nft"], -1) {
		if port, err := strconv.Atoi(m[1]); err == nil && port > 0 && port < 65536 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	var all []shot
	add := func(from netns.NS, in string, src, dst []netip.Addr) {
		for _, s := range src {
			for _, d := range dst {
				if len(dst) == 0 || s == d && from != l.router {
					continue
				}
				for _, proto := range []int{packet.TCP, packet.UDP} {
					for _, port := range ports {
						all = append(all, shot{from, in, s, d, proto, port})
					}
				}
				all = append(all, shot{from, in, s, d, l.icmp(), 0})
			}
		}
	}
	add(l.client, n.In, clients, slices.Concat(near, far, servers, own(n.VIPs)))
	add(l.server, n.Out, servers, slices.Concat(clients[:1], near, far, own(n.VIPs)))
	add(l.router, "", near, slices.Concat(clients[:1], servers, near))
	add(l.router, "", far, slices.Concat(servers, own(n.VIPs)))
	return all
}

// program compares one recording.
func (l *lane) program(recorded rulesets.Recording, backend netfilter.Backend, r *rand.Rand) {
	l.restore(recorded, backend)
	f := l.ask()
	for _, u := range f.Unread {
		l.Errorf("not read: %s", u)
	}
	count := l.counting(recorded, backend)
	before := count()
	all := l.shots(recorded)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	s := score{rulesets: 1}
	why := map[string]int{}
	for _, shot := range all[:min(len(all), max(share(len(all)), 25))] {
		t := l.tracer(f)
		p := t.newPacket(shot.in, shot.src, shot.dst, shot.proto, shot.port)
		if shot.proto == l.icmp() {
			p.ICMP = [2]int{map[bool]int{false: 8, true: 128}[l.v6]}
		}
		l.number(&p)
		if shot.in == "" {
			t.send(p)
		} else {
			t.receive(p)
		}
		for _, d := range t.doubts {
			why[d.Place.String()]++
		}
		before = l.check(t, shot.from, p, count, before, recorded.Name, &s)
		if s.wrong > 5 {
			break
		}
	}
	l.Log(s)
	for text, n := range why {
		l.Logf("cannot tell, %d times: %s", n, text)
	}
}
