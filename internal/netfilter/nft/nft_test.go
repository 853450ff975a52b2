package nft

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// ruleset wraps rules of one chain, "EXPR", in what nft prints around them.
func ruleset(exprs ...string) string {
	var b strings.Builder
	b.WriteString(`{"nftables":[{"metainfo":{"json_schema_version":1}},{"table":{"family":"inet","name":"t"}},{"chain":{"family":"inet","table":"t","name":"c","type":"filter","hook":"forward","prio":0,"policy":"drop"}},
		{"chain":{"family":"inet","table":"t","name":"other"}},{"set":{"family":"inet","table":"t","name":"s","elem":["eth9",{"elem":{"val":"eth0"}}]}},
		{"rule":{"family":"inet","table":"t","chain":"other","expr":[{"accept":null}]}}`)
	for _, e := range exprs {
		b.WriteString(`,{"rule":{"family":"inet","table":"t","chain":"c","expr":[` + e + `]}}`)
	}
	b.WriteString("]}")
	return b.String()
}

func comparison(op, left, right string) string {
	return `{"match":{"op":"` + op + `","left":` + left + `,"right":` + right + `}},{"accept":null}`
}

func TestExpressions(t *testing.T) {
	p := packet.Packet{Family: packet.IPv4, In: "eth0", Out: "docker0", Proto: packet.TCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("172.17.0.2"), SrcPort: 5000, DstPort: 80,
		Flags: packet.SYN, TTL: 63, Mark: packet.Bits{Value: 5, Known: ^uint32(0)}, Conn: packet.Conn{State: packet.New, DNAT: true, Mark: packet.NoMark,
			Orig: packet.Tuple{Dst: netip.MustParseAddrPort("203.0.113.2:8080")}}}
	const (
		iif    = `{"meta":{"key":"iifname"}}`
		dport  = `{"payload":{"protocol":"tcp","field":"dport"}}`
		saddr  = `{"payload":{"protocol":"ip","field":"saddr"}}`
		status = `{"ct":{"key":"status"}}`
		flags  = `{"&":[{"payload":{"protocol":"tcp","field":"flags"}},["fin","syn","rst","ack"]]}`
	)
	for rule, want := range map[string]netfilter.Verdict{
		comparison("==", iif, `"eth0"`):                                                                             netfilter.Accept,
		comparison("!=", iif, `"eth0"`):                                                                             netfilter.Drop,
		comparison("==", iif, `"eth*"`):                                                                             netfilter.Accept,
		comparison("==", iif, `"@s"`):                                                                               netfilter.Accept,
		comparison("==", iif, `{"set":["lo","br0"]}`):                                                               netfilter.Drop,
		comparison("==", dport, `80`):                                                                               netfilter.Accept,
		comparison("==", dport, `{"set":[22,{"range":[79,81]}]}`):                                                   netfilter.Accept,
		comparison(">", dport, `80`):                                                                                netfilter.Drop,
		comparison("==", `{"payload":{"protocol":"udp","field":"dport"}}`, `80`):                                    netfilter.Drop,
		comparison("!=", `{"payload":{"protocol":"udp","field":"dport"}}`, `80`):                                    netfilter.Drop,
		comparison("==", saddr, `{"prefix":{"addr":"192.0.2.0","len":24}}`):                                         netfilter.Accept,
		comparison("==", saddr, `{"range":["192.0.2.2","192.0.2.9"]}`):                                              netfilter.Drop,
		comparison("==", `{"payload":{"protocol":"ip6","field":"saddr"}}`, `"::1"`):                                 netfilter.Drop,
		comparison("in", `{"ct":{"key":"state"}}`, `["established","related"]`):                                     netfilter.Drop,
		comparison("==", `{"ct":{"key":"state"}}`, `{"set":["new","invalid"]}`):                                     netfilter.Accept,
		comparison("in", status, `"dnat"`):                                                                          netfilter.Accept,
		comparison("==", `{"ct":{"key":"proto-dst","dir":"original"}}`, `8080`):                                     netfilter.Accept,
		comparison("==", `{"ct":{"key":"direction"}}`, `"reply"`):                                                   netfilter.Drop,
		comparison("==", flags, `"syn"`):                                                                            netfilter.Accept,
		comparison("==", flags, `["syn","ack"]`):                                                                    netfilter.Drop,
		comparison("==", `{"&":[{"meta":{"key":"mark"}},4]}`, `4`):                                                  netfilter.Accept,
		comparison("==", `{"concat":[`+iif+`,`+dport+`]}`, `{"set":[{"concat":["eth0",80]}]}`):                      netfilter.Accept,
		comparison("==", `{"socket":{"key":"cgroupv2"}}`, `"x"`):                                                    netfilter.Unsure,
		comparison("==", `{"fib":{"result":"type","flags":"daddr"}}`, `"local"`):                                    netfilter.Drop,
		comparison("==", `{"fib":{"result":"oif","flags":["saddr","iif"]}}`, `false`):                               netfilter.Unsure,
		`{"jump":{"target":"other"}}`:                                                                               netfilter.Accept,
		`{"jump":{"target":"missing"}}`:                                                                             netfilter.Unsure,
		`{"vmap":{"key":` + iif + `,"data":{"set":[["eth1",{"drop":null}],["eth0",{"jump":{"target":"other"}}]]}}}`: netfilter.Accept,
		`{"limit":{"rate":5,"per":"minute"}},{"accept":null}`:                                                       netfilter.Unsure,
		`{"counter":{"packets":0,"bytes":0}},{"log":null},{"accept":null}`:                                          netfilter.Accept,
		`{"reject":{"type":"tcp reset"}}`:                                                                           netfilter.Drop,
		`{"queue":{"num":1}}`:                                                                                       netfilter.Unsure,
	} {
		all, err := Parse([]byte(ruleset(rule)), func(string, string) bool { return false })
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		way := netfilter.Through(all[0].Chain("c"), p, &packet.Env{}, nil)
		if got := way.Verdict(); got != want {
			t.Errorf("%s\ngot %v, want %v: %v", rule, got, want, way.Endings)
		}
	}
}

// A mark that a rule sets is seen by the rules behind it.
func TestMarks(t *testing.T) {
	const meta, ct = `{"meta":{"key":"mark"}}`, `{"ct":{"key":"mark"}}`
	set := func(key, to string) string { return `{"mangle":{"key":` + key + `,"value":` + to + `}}` }
	for _, c := range []struct{ change, right string }{
		{set(meta, `7`), "7"},
		{set(meta, `{"|":[{"&":[`+meta+`,4294967294]},8]}`), "12"}, // (5 & ~1) | 8
		{set(meta, `{"^":[{"&":[`+meta+`,4]},1]}`), "5"},
		{set(meta, ct), "3"},
		{set(ct, meta) + `]}},{"rule":{"family":"inet","table":"t","chain":"c","expr":[` + set(meta, `0`) + `]}},{"rule":{"family":"inet","table":"t","chain":"c","expr":[` + set(meta, ct), "5"},
	} {
		all, err := Parse([]byte(ruleset(c.change, comparison("==", meta, c.right))), func(string, string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		p := packet.Packet{Family: packet.IPv4, Mark: packet.Bits{Value: 5, Known: ^uint32(0)}, Conn: packet.Conn{State: packet.New, Mark: packet.Bits{Value: 3, Known: ^uint32(0)}}}
		if way := netfilter.Through(all[0].Chain("c"), p, &packet.Env{}, nil); way.Verdict() != netfilter.Accept {
			t.Errorf("%s is not %s: %v, mark %v", c.change, c.right, way.Endings, way.Packet.Mark)
		}
	}
}

// A packet without a connection, as all are before conntrack has seen them, has no mark of a
// connection: neither does one match, nor its opposite, and none is copied.
func TestNoConnectionHasNoMark(t *testing.T) {
	const meta, ct = `{"meta":{"key":"mark"}}`, `{"ct":{"key":"mark"}}`
	copied := `{"mangle":{"key":` + meta + `,"value":` + ct + `}}`
	for rule, want := range map[string]netfilter.Verdict{
		comparison("==", ct, "3"):                  netfilter.Drop,
		comparison("!=", ct, "1"):                  netfilter.Drop,
		comparison("!=", `{"&":[`+ct+`,1]}`, "1"):  netfilter.Drop,
		copied + "," + comparison("==", meta, "5"): netfilter.Accept,
	} {
		all, err := Parse([]byte(ruleset(rule)), func(string, string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		p := packet.Packet{Family: packet.IPv4, Mark: packet.Bits{Value: 5, Known: ^uint32(0)}, Conn: packet.Conn{State: packet.Invalid, Mark: packet.Bits{Value: 3, Known: ^uint32(0)}}}
		if way := netfilter.Through(all[0].Chain("c"), p, &packet.Env{}, nil); way.Verdict() != want {
			t.Errorf("%s: %v, want %v", rule, way.Endings, want)
		}
	}
}

// 100,000 rules are read in a moment; chains that call each other, or one that is not there, decide
// nothing and end.
func TestLargeRulesets(t *testing.T) {
	rule := comparison("==", `{"payload":{"protocol":"ip","field":"saddr"}}`, `"192.0.2.1"`)
	text := `{"nftables":[{"table":{"family":"ip","name":"t"}},{"chain":{"family":"ip","table":"t","name":"c","type":"filter","hook":"forward","prio":0,"policy":"accept"}},{"chain":{"family":"ip","table":"t","name":"d"}}` +
		strings.Repeat(`,{"rule":{"family":"ip","table":"t","chain":"c","expr":[`+rule+`,{"drop":null}]}}`, 100_000) +
		`,{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"jump":{"target":"d"}}]}},{"rule":{"family":"ip","table":"t","chain":"d","expr":[{"jump":{"target":"d"}}]}},{"rule":{"family":"ip","table":"t","chain":"d","expr":[{"goto":{"target":"none"}}]}}]}`
	began := time.Now()
	all, err := Parse([]byte(text), func(string, string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	p := packet.Packet{Family: packet.IPv4, Src: netip.MustParseAddr("192.0.2.9"), Dst: netip.MustParseAddr("192.0.2.2")}
	if way := netfilter.Through(all[0].Chain("c"), p, &packet.Env{}, nil); way.Verdict() != netfilter.Unsure {
		t.Errorf("%v", way.Endings)
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("took %v", d)
	} else {
		t.Log(d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("{\"nftables\":[{\"table\":{\"family\":\"netdev\",\"name\":\"a\"}}\n]}\ntable netdev a {\nchain b {\ntype filter hook ingress devices = { e0, e1 } priority 0; policy accept;\n")
	f.Add(ruleset(comparison("==", `{"meta":{"key":"iifname"}}`, `"eth0"`)))
	f.Add(ruleset(`{"vmap":{"key":{"meta":{"key":"iifname"}},"data":{"set":[["eth1",{"drop":null}]]}}}`, `{"dnat":{"addr":"10.0.0.1","port":80}}`))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse([]byte(text), func(string, string) bool { return false })
		if err != nil {
			return
		}
		AddDevices(all, strings.Split(text, "\n"))
		for _, table := range all {
			for _, c := range table.Chains {
				if c.Hook != "" {
					netfilter.Through(c, packet.Packet{Family: packet.IPv4, Proto: packet.TCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Conn: packet.Conn{State: packet.New}}, &packet.Env{}, nil)
				}
			}
		}
	})
}
