package saved

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// evaluated sends packets through every base chain: each passage ends, and soon.
func evaluated(t *testing.T, all []*netfilter.Table) {
	began := time.Now()
	for _, table := range all {
		for _, c := range table.Chains {
			if c.Hook == "" {
				continue
			}
			for _, p := range []packet.Packet{
				toContainer("10.0.0.2"),
				{Family: packet.ARP, In: "veth1", Bridge: "br0", ARPOp: 1, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")},
				{Family: packet.IPv6, Proto: packet.UDP, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), SrcPort: 1, DstPort: 53, Conn: packet.Conn{State: packet.New}},
			} {
				way := netfilter.Through(c, p, &packet.Env{}, nil)
				if len(way.Endings) == 0 {
					t.Fatalf("no ending in %s", c.Name)
				}
				for _, e := range way.Endings {
					if v := e.Verdict; v != netfilter.Accept && v != netfilter.Drop && v != netfilter.Unsure {
						t.Fatalf("ending %v in %s", e, c.Name)
					}
				}
			}
		}
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func fuzzSave(f *testing.F, tool netfilter.Tool, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		all, err := Parse(tool, netfilter.NFTables, []byte(text))
		if err != nil {
			if strings.Contains(err.Error(), "strconv.") || strings.Contains(err.Error(), "ParseAddr") {
				t.Errorf("raw error: %v", err)
			}
			return
		}
		for _, table := range all {
			for _, c := range table.Chains {
				for i, r := range c.Rules {
					if r.Number != i+1 || !strings.Contains(text, r.Text) {
						t.Errorf("rule %d of %s is %q", r.Number, c.Name, r.Text)
					}
				}
			}
		}
		evaluated(t, all)
	})
}

func FuzzIPTablesSave(f *testing.F) {
	fuzzSave(f, netfilter.IPTables, sceneIP,
		"*filter\n:FORWARD DROP [0:0]\n:A - [0:0]\n-A FORWARD -m limit --limit 5/min -g A\n-A A -j A\nCOMMIT\n",
		"*mangle\n:FORWARD ACCEPT [1:2]\n[3:4] -A FORWARD ! -s 10.0.0.0/255.0.0.255 -m mark --mark 0x1/0x3 -j MARK --set-xmark 0x4/0xf\n-A FORWARD -m set --match-set x src,dst -m comment --comment \"a \\\"b\" -j RETURN\n",
		"*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p udp -m multiport --dports 1:5,7 -m addrtype --dst-type LOCAL --limit-iface-in -j DNAT --to-destination 1.2.3.4:5\n")
}

func FuzzIP6TablesSave(f *testing.F) {
	fuzzSave(f, netfilter.IP6Tables, "*filter\n:INPUT DROP [0:0]\n-A INPUT -s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 135/0 -m hl --hl-eq 255 -j ACCEPT\n-A INPUT -m iprange --src-range ::1-::9 -j DROP\n")
}

func FuzzEBTablesSave(f *testing.F) {
	fuzzSave(f, netfilter.EBTables, sceneFrames,
		"*filter\n:INPUT ACCEPT\n:mine DROP\n-A INPUT -p ARP --arp-op ! Request --log-prefix \"a b\" -j mine\n-A mine -s ! 02:42:ac:11:00:02/ff:ff:00:00:00:00 -d Broadcast --logical-in br+ -j mark --mark-set 0x1 --mark-target CONTINUE\n",
		"*broute\n:BROUTING ACCEPT\n-A BROUTING -p IPv6 --ip6-proto tcp --ip6-dport 80:90 -j redirect --redirect-target DROP\n")
}

func FuzzSets(f *testing.F) {
	f.Add("create a hash:net,port family inet\nadd a 10.0.0.0/8,tcp:80-90\nadd a 10.1.0.0/16,udp:53 nomatch\ncreate b list:set\nadd b a\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseSets(strings.Split(text, "\n"))
		if err != nil {
			return
		}
		for _, s := range all {
			s.Has(netip.MustParseAddr("10.1.2.3"), packet.TCP, 80)
		}
	})
}

// 100,000 rules: parsed and evaluated in a moment, and chains that call each other twice each
// do not take for ever.
func TestLargeRulesets(t *testing.T) {
	large := "*filter\n:FORWARD DROP [0:0]\n" + strings.Repeat("-A FORWARD -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j DROP\n", 100_000) + "-A FORWARD -j ACCEPT\nCOMMIT\n"
	began := time.Now()
	all := tables(t, netfilter.IPTables, large)
	if got := decision(t, all, "filter", "FORWARD", toContainer("10.0.0.2"), &packet.Env{}, nil); got != "ACCEPT: ACCEPT iptables-nft ip filter FORWARD rule 100001: -j ACCEPT" {
		t.Error(got)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	var twice strings.Builder
	twice.WriteString("*filter\n:FORWARD DROP [0:0]\n")
	for i := range 40 {
		twice.WriteString(":C" + string(rune('A'+i)) + " - [0:0]\n")
	}
	twice.WriteString("-A FORWARD -j CA\n")
	for i := range 39 {
		twice.WriteString(strings.Repeat("-A C"+string(rune('A'+i))+" -j C"+string(rune('B'+i))+"\n", 2))
	}
	evaluated(t, tables(t, netfilter.IPTables, twice.String()))
}

func BenchmarkOnePacket(b *testing.B) {
	text := "*filter\n:FORWARD DROP [0:0]\n" + strings.Repeat("-A FORWARD -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP\n", 2000) + "COMMIT\n"
	all, err := Parse(netfilter.IPTables, netfilter.NFTables, []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	p := toContainer("10.0.0.2")
	p.Src, p.DstPort = netip.MustParseAddr("192.0.2.1"), 23
	for b.Loop() {
		netfilter.Through(all[0].Chain("FORWARD"), p, &packet.Env{}, nil)
	}
}
