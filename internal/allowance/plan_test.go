package allowance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts/writer"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

// contest is a docker host with Docker 20.10 whose script lets nothing but web1 through: web2
// and web3 are published, and closed.
const (
	userRules = `-A DOCKER-USER -d 10.213.213.1/32 -j ACCEPT
-A DOCKER-USER -d 10.213.213.213/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-USER -j DROP
-A DOCKER-USER -j RETURN
`
	contestRules = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i br-net -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.213.213.213:80
-A DOCKER ! -i br-net -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.213.213.2:80
-A DOCKER ! -i br-net -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.213.213.3:80
COMMIT
*filter
:FORWARD DROP [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:LATER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o br-net -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o br-net -j DOCKER
-A FORWARD -i br-net ! -o br-net -j ACCEPT
-A DOCKER -d 10.213.213.213/32 ! -i br-net -o br-net -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -d 10.213.213.2/32 ! -i br-net -o br-net -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -d 10.213.213.3/32 ! -i br-net -o br-net -p tcp -m tcp --dport 80 -j ACCEPT
` + userRules + "COMMIT\n"
	contestFrames = `*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
-A INPUT -i eth0 -j ACCEPT
-A INPUT -p ARP --arp-ip-src 10.213.213.213 --arp-ip-dst 10.213.213.1 -j ACCEPT
-A INPUT -p ARP -j DROP
-A OUTPUT -o eth0 -j ACCEPT
-A OUTPUT -p ARP --arp-ip-src 10.213.213.1 --arp-ip-dst 10.213.213.213 -j ACCEPT
-A OUTPUT -p ARP -j DROP
`
)

// computer is a docker host with those rules.
func computer(t testing.TB, rules, frames string) *netfacts.Facts {
	t.Helper()
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	f := &netfacts.Facts{
		Docker: true,
		Sysctl: map[string]string{"net.ipv4.ip_forward": "1"},
		Links: []netfacts.Link{
			{Index: 1, Name: "lo", Addresses: []netip.Prefix{prefix("127.0.0.1/8")}},
			{Index: 2, Name: "eth0", Addresses: []netip.Prefix{prefix("203.0.113.2/24"), prefix("2001:db8:7::2/64")}},
			{Index: 3, Name: "eth1", Addresses: []netip.Prefix{prefix("10.98.0.1/24")}},
			{Index: 4, Name: "br-net", Addresses: []netip.Prefix{prefix("10.213.213.1/24")}},
			{Index: 9, Name: "tun0", Addresses: []netip.Prefix{prefix("10.8.0.1/24")}},
		},
		Networks: []netfacts.Network{{Name: "my-net", Driver: "bridge", Bridge: "br-net", Subnets: []netip.Prefix{prefix("10.213.213.0/24")}, Gateways: []netip.Addr{addr("10.213.213.1")}}},
	}
	for _, r := range []struct{ dst, link, table, kind string }{
		{"0.0.0.0/0", "eth0", "main", "unicast"}, {"::/0", "eth0", "main", "unicast"}, {"203.0.113.0/24", "eth0", "main", "unicast"}, {"10.98.0.0/24", "eth1", "main", "unicast"},
		{"10.213.213.0/24", "br-net", "main", "unicast"}, {"10.8.0.0/24", "tun0", "main", "unicast"}, {"127.0.0.0/8", "lo", "local", "local"},
		{"203.0.113.2/32", "eth0", "local", "local"}, {"10.98.0.1/32", "eth1", "local", "local"}, {"10.213.213.1/32", "br-net", "local", "local"},
		{"2001:db8:7::2/128", "eth0", "local", "local"},
	} {
		f.Routes = append(f.Routes, netfacts.Route{Dst: prefix(r.dst), Link: r.link, Table: r.table, Type: r.kind})
	}
	for i, name := range []string{"web1", "web2", "web3"} {
		inside := addr([]string{"10.213.213.213", "10.213.213.2", "10.213.213.3"}[i])
		port := []int{80, 8080, 8081}[i]
		link := fmt.Sprintf("veth%d", i)
		f.Links = append(f.Links, netfacts.Link{Index: 10 + i, Name: link, Master: "br-net"})
		f.Listeners = append(f.Listeners, netfacts.Listener{Addr: netip.IPv6Unspecified(), Port: port})
		f.Containers = append(f.Containers, netfacts.Container{ID: "feedfeed" + name, Name: name, PID: 100 + i, Mode: "my-net", Ports: []string{link},
			Addresses: []netfacts.Address{{Network: "my-net", Addr: inside}}, Listeners: []netfacts.Listener{{Addr: netip.IPv4Unspecified(), Port: 80}},
			Published: []netfacts.Published{{Port: 80, HostIP: netip.IPv4Unspecified(), HostPort: port}}})
	}
	for tool, text := range map[netfilter.Tool]string{netfilter.IPTables: rules, netfilter.EBTables: frames} {
		tables, err := saved.Parse(tool, netfilter.NFTables, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		f.Tables = append(f.Tables, tables...)
	}
	f.Writers = writer.New(nil, nil)
	return f
}

// lines are a plan's rules, as their tools take them with today's addresses.
func lines(f *netfacts.Facts, p *Plan) []string {
	var all []string
	for _, a := range p.Allowances {
		for _, r := range a.Rules {
			for _, text := range a.texts(f, r) {
				all = append(all, fmt.Sprintf("%s %s %s %d: %s", r.Tool, r.Table, r.Chain, r.position(f.Table(r.Tool, r.Backend, r.Table).Chain(r.Chain)), text))
			}
		}
	}
	return all
}

const (
	userRule = `iptables filter DOCKER-USER 4: -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m comment --comment "dvh-allow:web2" -j RETURN`
	ask      = "ebtables filter OUTPUT 1: -p ARP --arp-ip-dst 10.213.213.2 -j ACCEPT"
	reply    = "ebtables filter INPUT 1: -p ARP --arp-ip-src 10.213.213.2 -j ACCEPT"
)

func TestPlans(t *testing.T) {
	with := func(user string) string { return strings.Replace(contestRules, userRules, user, 1) }
	from := netip.MustParsePrefix("10.98.0.0/24")
	for name, c := range map[string]struct {
		rules, frames string
		request       Request
		want          []string
		err           string
	}{
		"the contest":         {contestRules, contestFrames, Request{Container: "web2"}, []string{userRule, ask, reply}, ""},
		"by the port inside":  {contestRules, contestFrames, Request{Container: "web2", Port: 80}, []string{userRule, ask, reply}, ""},
		"by the port outside": {contestRules, contestFrames, Request{Container: "web2", Port: 8080}, []string{userRule, ask, reply}, ""},
		"by the ID":           {contestRules, contestFrames, Request{Container: "feedfeedweb2"}, []string{userRule, ask, reply}, ""},
		"web1 is reachable":   {contestRules, contestFrames, Request{Container: "web1"}, nil, ""},
		"ebtables alone":      {with("-A DOCKER-USER -d 10.213.213.2/32 -j ACCEPT\n" + userRules), contestFrames, Request{Container: "web2"}, []string{ask, reply}, ""},
		"the question alone":  {contestRules, strings.Replace(contestFrames, "-A INPUT -p ARP -j DROP\n", "", 1), Request{Container: "web2"}, []string{userRule, ask}, ""},
		"iptables alone":      {contestRules, "*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n", Request{Container: "web2"}, []string{userRule}, ""},
		"for one network": {contestRules, contestFrames, Request{Container: "web2", From: from},
			[]string{strings.Replace(userRule, "--ctorigdstport", "--ctorigsrc 10.98.0.0/24 --ctorigdstport", 1), ask, reply}, ""},
		"docker's own example": {with("-A DOCKER-USER ! -s 192.0.2.0/24 -i eth0 -j DROP\n"), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"}, []string{strings.Replace(userRule, " 4:", " 1:", 1)}, ""},
		"what else is dropped stays so": {with("-A DOCKER-USER -s 198.51.100.0/24 -j DROP\n-A DOCKER-USER -i eth0 -j DROP\n"), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"},
			[]string{strings.Replace(userRule, " 4:", " 2:", 1)}, ""},
		"in a chain that is called": {with("-A LATER -i eth0 -j REJECT\n-A DOCKER-USER -s 198.51.100.0/24 -j DROP\n-A DOCKER-USER -j LATER\n"), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"},
			[]string{strings.Replace(userRule, " 4:", " 2:", 1)}, ""},
		"in FORWARD itself": {with("-A FORWARD -i eth0 -j DROP\n"), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"}, nil, ""},
		"in front of DOCKER-USER": {strings.Replace(with(""), "-A FORWARD -j DOCKER-USER", "-A FORWARD -i eth0 -j DROP\n-A FORWARD -j DOCKER-USER", 1), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"},
			[]string{strings.NewReplacer("DOCKER-USER 4", "FORWARD 1", "RETURN", "ACCEPT").Replace(userRule)}, ""},
		"before DNAT": {"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -i eth0 -p tcp -m tcp --dport 8080 -j DROP\nCOMMIT\n" + with(""), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"},
			[]string{`iptables mangle PREROUTING 1: -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8080 -m comment --comment "dvh-allow:web2" -j ACCEPT`}, ""},
		"docker's rules are gone": {"*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\nCOMMIT\n" + contestRules[:strings.Index(contestRules, "*filter")], "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"}, nil,
			"iptables-nft ip filter FORWARD: policy DROP: allow does not change policies; restart docker, which adds its own rules again"},
		"a rate limit decides": {with("-A DOCKER-USER -m limit --limit 1/min -j DROP\n"), "*filter\n:INPUT ACCEPT\n", Request{Container: "web2"}, nil,
			"a rule that cannot be evaluated decides: iptables-nft ip filter DOCKER-USER rule 1: -m limit --limit 1/min -j DROP"},
		"a frame is dropped": {with(""), "*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n-A OUTPUT -p IPv4 -j DROP\n", Request{Container: "web2"}, nil,
			"no rule for a single container gets past this: ebtables filter OUTPUT rule 1: -p IPv4 -j DROP"},
		"a route to the container": {"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.213.213.2/32 ! -i br-net -j DROP\n-A PREROUTING -d 10.213.213.3/32 ! -i br-net -j DROP\nCOMMIT\n" + with(""), "*filter\n:INPUT ACCEPT\n",
			Request{Container: "10.213.213.2", Port: 80, From: netip.MustParsePrefix("10.8.0.0/24")}, []string{
				`iptables raw PREROUTING 1: -s 10.8.0.0/24 -d 10.213.213.0/24 -i tun0 -m comment --comment "dvh-allow:web2" -j ACCEPT`,
				`iptables filter DOCKER-USER 1: -s 10.8.0.0/24 -d 10.213.213.0/24 -i tun0 -m comment --comment "dvh-allow:web2" -j ACCEPT`}, ""},
		"a route to a port that is not published": {with(""), "*filter\n:INPUT ACCEPT\n", Request{Container: "10.213.213.2", Port: 81, From: netip.MustParsePrefix("10.8.0.0/24")}, nil,
			"the obstacle is not a packet filter: nothing listens on port 81/tcp in container web2"},
		"where FORWARD's policy drops it": {strings.ReplaceAll(with(""), "-A DOCKER -d 10.213.213.2/32 ! -i br-net -o br-net -p tcp -m tcp --dport 80 -j ACCEPT\n", ""), "*filter\n:INPUT ACCEPT\n",
			Request{Container: "10.213.213.2", From: netip.MustParsePrefix("10.8.0.0/24")}, []string{
				`iptables filter DOCKER-USER 1: -s 10.8.0.0/24 -d 10.213.213.0/24 -i tun0 -m comment --comment "dvh-allow:web2" -j ACCEPT`}, ""},
		"no port": {contestRules, contestFrames, Request{Container: "web2", Port: 81}, nil, "container web2 does not publish port 81"},
		"no name": {contestRules, contestFrames, Request{Container: "web"}, nil, `no container is called "web"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := computer(t, c.rules, c.frames)
			p, err := New(f, c.request)
			if err != nil || c.err != "" {
				if fmt.Sprint(err) != c.err {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if diff := cmp.Diff(c.want, lines(f, p)); diff != "" {
				t.Error(diff)
			}
			if p.LetsOut && name != "ebtables alone" {
				t.Error("the container is let out")
			}
			for _, a := range p.Allowances {
				after, err := a.After(f)
				if err != nil {
					t.Fatal(err)
				}
				if drift := a.Drift(after); len(drift) > 0 {
					t.Errorf("drift afterwards: %q", drift)
				}
				if drift := a.Drift(f); len(drift) == 0 {
					t.Error("no drift before")
				}
			}
		})
	}
}

// Where ARP alone keeps a container in, opening it lets the container out, too.
func TestLetsOut(t *testing.T) {
	f := computer(t, strings.Replace(contestRules, userRules, "", 1), contestFrames)
	p, err := New(f, Request{Container: "web2"})
	if err != nil || !p.LetsOut {
		t.Errorf("%+v, %v", p, err)
	}
	f.Containers[1].PID = 0
	if _, err := New(f, Request{Container: "web2"}); err == nil || err.(*Refusal).Stopped != "web2" {
		t.Error(err)
	}
}

func TestListIsReadAsItWasWritten(t *testing.T) {
	f := computer(t, strings.Replace(contestRules, userRules, "-A DOCKER-USER -i eth0 -j DROP\n"+userRules, 1), contestFrames)
	l := &List{Socket: "/run/docker.sock"}
	for _, r := range []Request{{Container: "web2"}, {Container: "web3", From: netip.MustParsePrefix("203.0.113.0/24"), Once: "boot-7"}, {Container: "web2"}} {
		p, err := New(f, r)
		if err != nil {
			t.Fatal(err)
		}
		l.Put(p)
	}
	if len(l.All) != 2 || len(l.All[0].Rules) != 3 || !slices.Equal(l.All[0].Rules[0].Before, []string{"-i eth0 -j DROP"}) {
		t.Errorf("%+v", l.All)
	}
	back, err := Decode(l.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, back, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if gone := l.Remove(Request{Container: "web2", Port: 9}); len(gone) != 0 || len(l.All) != 2 {
		t.Error("another port removes it")
	}
	if gone := l.Remove(Request{Container: "web2"}); len(gone) != 1 || len(l.All) != 1 {
		t.Error("it stays")
	}
	if _, err := Decode("allow\tx\t1\ttcp\t-\t-\t0\nnew\tx\n"); err == nil || err.Error() != `line 2 of the docker host's list of allowances: "new" is not known to this version` {
		t.Error(err)
	}
}
