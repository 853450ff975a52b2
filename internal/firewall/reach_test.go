package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
)

// plain is a docker host with Docker 20.10 and one container, web, at port 8080, as facts.sh
// prints it.
var plain = map[string]string{
	"rules iptables nft": `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT`,
	"links": `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
2: eth0@if9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000\    link/ether 08:00:27:00:00:01 brd ff:ff:ff:ff:ff:ff
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000\    link/ether 08:00:27:00:00:02 brd ff:ff:ff:ff:ff:ff
4: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default \    link/ether 02:42:00:00:00:01 brd ff:ff:ff:ff:ff:ff
6: veth1@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master docker0 state UP mode DEFAULT group default \    link/ether 5a:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0`,
	"addresses": `1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
2: eth0    inet 203.0.113.2/24 brd 203.0.113.255 scope global eth0\       valid_lft forever preferred_lft forever
3: eth1    inet 10.98.0.1/24 brd 10.98.0.255 scope global eth1\       valid_lft forever preferred_lft forever
4: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\       valid_lft forever preferred_lft forever`,
	"routes4": `default via 203.0.113.1 dev eth0
10.98.0.0/24 dev eth1 proto kernel scope link src 10.98.0.1
172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1
203.0.113.0/24 dev eth0 proto kernel scope link src 203.0.113.2
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
local 10.98.0.1 dev eth1 table local proto kernel scope host src 10.98.0.1
local 172.17.0.1 dev docker0 table local proto kernel scope host src 172.17.0.1
local 203.0.113.2 dev eth0 table local proto kernel scope host src 203.0.113.2`,
	"rules4":     "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default",
	"sysctl":     "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/bridge/bridge-nf-call-iptables:1",
	"listeners":  "/proc/self/net/tcp:   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
	"docker":     "",
	"networks":   `{"id":"0123456789abcdef","name":"bridge","driver":"bridge","ipam":[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}],"options":{"com.docker.network.bridge.name":"docker0"},"internal":false}`,
	"containers": `{"pid":77,"id":"feedfeedfeed","name":"/web","mode":"default","ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]},"bindings":{},"networks":{"bridge":{"IPAddress":"172.17.0.2","GlobalIPv6Address":"","MacAddress":"02:42:ac:11:00:02"}}}`,
	"inside":     "/proc/77/net/tcp:   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
	"ports":      "/proc/77/root/sys/class/net/eth0/iflink:6",
}

// answerText is an answer of facts.sh. changes are frames in place of plain's, and pairs
// "NAME/old" of texts that are replaced in one.
func answerText(changes map[string]string) string {
	var b strings.Builder
	b.WriteString("@@docker-vpn-helper packet-filters\n")
	frames := map[string]string{}
	for name, text := range plain {
		frames[name] = text
	}
	for name, text := range changes {
		frames[name] = text
	}
	for name, text := range frames {
		fmt.Fprintf(&b, "@@%s\n|%s\n", name, strings.ReplaceAll(text, "\n", "\n|"))
	}
	b.WriteString("@@end\n")
	return b.String()
}

// answering is a docker host that answers every script with one text.
type answering struct {
	host.Host
	text string
}

func (a answering) Run(context.Context, host.Cmd) (host.Output, error) {
	return host.Output{Stdout: []byte(a.text)}, nil
}

// factsIn reads the facts from what facts.sh prints.
func factsIn(t testing.TB, text string) *netfacts.Facts {
	t.Helper()
	f, err := netfacts.Collect(t.Context(), answering{text: text}, netfacts.DefaultSocket)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func factsOf(t testing.TB, changes map[string]string) *netfacts.Facts {
	t.Helper()
	return factsIn(t, answerText(changes))
}

// swapped is a frame of plain with one text in place of another.
func swapped(name, old, text string) string {
	if !strings.Contains(plain[name], old) {
		panic(old + " is not in " + name)
	}
	return strings.ReplaceAll(plain[name], old, text)
}

const rules = "rules iptables nft"

// askedByBridge are rules of ebtables that let none but the bridge's address ask for the container.
const askedByBridge = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A OUTPUT -p ARP --arp-ip-src 172.17.0.1 --arp-ip-dst 172.17.0.2 -j ACCEPT\n-A OUTPUT -p ARP -j DROP\n"

// flushed is what is left of docker's rules when something has flushed them.
const flushed = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT"

func TestWhatKeepsPacketsAway(t *testing.T) {
	for name, c := range map[string]struct {
		changes      map[string]string
		target, from string
		want         []string // obstacles, then "? " doubts and "! " notes
	}{
		"nothing":           {nil, "web", "public", nil},
		"nothing from lan":  {nil, "8080", "lan", nil},
		"nothing local":     {nil, "web:80", "local", nil},
		"nothing to docker": {nil, "172.17.0.2:80", "local", nil},
		"ARP asks with the docker host's own address": {map[string]string{"rules ebtables nft": askedByBridge}, "web", "203.0.113.2", []string{"ebtables filter OUTPUT rule 2: -p ARP -j DROP"}},
		"ARP asks with the bridge's address":          {map[string]string{"rules ebtables nft": askedByBridge}, "web", "172.17.0.1", nil},
		"arp_announce has it ask with the bridge's": {map[string]string{"rules ebtables nft": askedByBridge, "announce": "/proc/sys/net/ipv4/conf/docker0/arp_announce:2"},
			"web", "203.0.113.2", nil},
		"by the loopback address alone": {map[string]string{"rules ebtables nft": askedByBridge}, "web", "local", []string{
			"! at the docker host's own address 203.0.113.2 the port cannot be reached: ebtables filter OUTPUT rule 2: -p ARP -j DROP",
			"! at the docker host's own address 10.98.0.1 the port cannot be reached: ebtables filter OUTPUT rule 2: -p ARP -j DROP"}},
		"FORWARD drops, docker's rules are gone": {map[string]string{rules: flushed}, "172.17.0.2:80", "lan", []string{
			"iptables-nft ip filter FORWARD: policy DROP",
			"! docker's own rules are missing: dockerd runs with --iptables=false, or they were flushed; restarting docker adds them again"}},
		"without DNAT docker-proxy takes the packet": {map[string]string{rules: flushed}, "web", "public", nil},
		"neither DNAT nor docker-proxy": {map[string]string{rules: flushed, "listeners": ""}, "web", "public", []string{
			"no DNAT rule matches tcp 101.102.103.104:50123 -> 203.0.113.2:8080, and no docker-proxy listens there",
			"! docker's own rules are missing: dockerd runs with --iptables=false, or they were flushed; restarting docker adds them again"}},
		"ip_forward is off": {map[string]string{"sysctl": "/proc/sys/net/ipv4/ip_forward:0"}, "web", "public", []string{"net.ipv4.ip_forward is 0: the docker host forwards no packets"}},
		"a rule of the other backend": {map[string]string{"rules iptables legacy": "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --dport 80 -j DROP\nCOMMIT"}, "web", "public", []string{
			"iptables-legacy ip filter FORWARD rule 1: -p tcp -m tcp --dport 80 -j DROP", "! both backends, nft and legacy, have iptables rules, and the kernel applies both"}},
		"DOCKER-USER is not called": {map[string]string{rules: swapped(rules, "-A FORWARD -j DOCKER-USER\n", "") + "\n", "x": ""}, "web", "public", nil},
		"rules in a DOCKER-USER that is not called": {map[string]string{rules: strings.Replace(swapped(rules, "-A FORWARD -j DOCKER-USER\n", ""), "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -j DROP\n-A DOCKER-USER -j RETURN", 1)}, "web", "public", []string{
			"! DOCKER-USER has rules, but FORWARD does not call it: they have no effect"}},
		"docker 28 drops direct routes": {map[string]string{rules: "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP\nCOMMIT\n" + plain[rules]}, "172.17.0.2:80", "lan", []string{
			"iptables-nft ip raw PREROUTING rule 1: -d 172.17.0.2/32 ! -i docker0 -j DROP",
			"! Docker 28 and later drops packets that are sent to a container's own address from outside; use a published port"}},
		"so does its nftables backend": {map[string]string{"nft": `{"nftables":[{"table":{"family":"ip","name":"docker-bridges"}},{"chain":{"family":"ip","table":"docker-bridges","name":"raw-PREROUTING","type":"filter","hook":"prerouting","prio":-300,"policy":"accept"}},
			{"rule":{"family":"ip","table":"docker-bridges","chain":"raw-PREROUTING","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"172.17.0.2"}},{"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"docker0"}},{"counter":{"packets":0,"bytes":0}},{"drop":null}]}}]}`},
			"172.17.0.2:80", "lan", []string{"nft ip docker-bridges raw-PREROUTING rule 1: ip daddr 172.17.0.2 meta iifname != docker0 counter drop",
				"! Docker 28 and later drops packets that are sent to a container's own address from outside; use a published port"}},
		"a DOCKER-USER of Docker 29 that is not called": {map[string]string{rules: strings.Replace(swapped(rules, "-A FORWARD -j DOCKER-USER\n", ""), "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -j DROP", 1)}, "web", "public", []string{
			"! DOCKER-USER has rules, but FORWARD does not call it: they have no effect"}},
		"a DOCKER-USER that is called too late": {map[string]string{rules: strings.Replace(swapped(rules, "-A FORWARD -j DOCKER-USER\n", ""), "-A DOCKER-USER -j RETURN", "-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -i eth0 -j DROP", 1)}, "web", "public", []string{
			"! FORWARD calls DOCKER-USER after DOCKER-ISOLATION-STAGE-1: packets that docker accepts there do not reach the rules of DOCKER-USER"}},
		"a chain at the interface":    {map[string]string{"nft": netdev(`"dev":"eth0",`)}, "web", "public", []string{"nft netdev nd in rule 1: tcp dport 8080 drop"}},
		"at another interface":        {map[string]string{"nft": netdev(`"dev":["eth1","lo"],`)}, "web", "public", nil},
		"an old nft does not name it": {map[string]string{"nft": netdev("")}, "web", "public", []string{"? nft netdev nd in rule 1: tcp dport 8080 drop"}},
		"but lists it":                {map[string]string{"nft": netdev(""), "nft-chains": "table netdev nd {\n\tchain in {\n\t\ttype filter hook ingress devices = { docker0, eth1 } priority filter; policy accept;\n\t}\n}"}, "web", "public", nil},
		"arptables": {map[string]string{"nft": `{"nftables":[{"table":{"family":"arp","name":"filter"}},{"chain":{"family":"arp","table":"filter","name":"OUTPUT","type":"filter","hook":"output","prio":0,"policy":"accept"}},
			{"rule":{"family":"arp","table":"filter","chain":"OUTPUT","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"arp","field":"htype"}},"right":1}},{"match":{"op":"==","left":{"payload":{"protocol":"arp","field":"daddr ip"}},"right":{"prefix":{"addr":"172.17.0.0","len":16}}}},{"drop":null}]}}]}`},
			"web", "public", []string{"nft arp filter OUTPUT rule 1: arp htype 1 arp daddr ip (prefix:(addr:172.17.0.0,len:16)) drop"}},
		"arptables of the legacy backend": {map[string]string{"rules arptables legacy": "Chain INPUT (policy ACCEPT)\n-j DROP -i br+ -s 10.0.0.1 --opcode 2 \n\nChain OUTPUT (policy ACCEPT)\n"}, "web", "public", []string{
			"? arptables-legacy: -j DROP -i br+ -s 10.0.0.1 --opcode 2"}},
		"arptables without rules":           {map[string]string{"legacy-tables": "/proc/net/arp_tables_names:filter", "rules arptables legacy": "Chain INPUT (policy ACCEPT)\n\nChain OUTPUT (policy ACCEPT)\n"}, "web", "public", nil},
		"legacy rules that nothing prints":  {map[string]string{"legacy-tables": "/proc/net/ip_tables_names:filter"}, "web", "public", []string{"? iptables-legacy filter: no program on the docker host prints its rules"}},
		"a published port passes docker 28": {map[string]string{rules: "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP\nCOMMIT\n" + plain[rules]}, "web", "public", nil},
		"nothing listens":                   {map[string]string{"inside": ""}, "web", "public", []string{"nothing listens on port 80/tcp in container web"}},
		"listens on loopback":               {map[string]string{"inside": swapped("inside", "00000000:0050", "0100007F:0050")}, "web", "public", []string{"in container web port 80/tcp is open only on 127.0.0.1, which can be reached only from inside the container"}},
		"nothing is published":              {nil, "9090", "public", []string{"nothing is published on port 9090 of the docker host"}},
		"that port is not":                  {nil, "web:81", "public", []string{"container web does not publish port 81"}},
		"published on loopback":             {map[string]string{"containers": swapped("containers", `"0.0.0.0"`, `"127.0.0.1"`)}, "web", "public", []string{"the port is published only on 127.0.0.1, which clients outside cannot reach"}},
		"it does not run":                   {map[string]string{"containers": swapped("containers", `"pid":77`, `"pid":0`)}, "web", "public", []string{"container web is not running"}},
		"no network":                        {map[string]string{"containers": swapped("containers", `"mode":"default"`, `"mode":"none"`)}, "web", "public", []string{"container web has no network"}},
		"the DNAT rule is stale":            {map[string]string{rules: swapped(rules, "172.17.0.2", "172.17.0.9")}, "web", "public", []string{"the packet goes to 172.17.0.9:80, which is not the address of a running container", "iptables-nft ip filter FORWARD: policy DROP"}[:1]},
		"the answer is dropped": {map[string]string{rules: strings.Replace(plain[rules], "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i docker0 -m conntrack --ctstate ESTABLISHED -j DROP\n-A DOCKER-USER -j RETURN", 1)}, "web", "public", []string{
			"iptables-nft ip filter DOCKER-USER rule 1: -i docker0 -m conntrack --ctstate ESTABLISHED -j DROP"}},
		"only the first packet passes": {map[string]string{rules: strings.Replace(plain[rules], "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -m conntrack ! --ctstate NEW -j DROP\n-A DOCKER-USER -j RETURN", 1)}, "web", "public", []string{
			"iptables-nft ip filter DOCKER-USER rule 1: -i eth0 -m conntrack ! --ctstate NEW -j DROP"}},
		"a rate limit decides": {map[string]string{rules: strings.Replace(plain[rules], "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -m limit --limit 5/min -j DROP\n-A DOCKER-USER -j RETURN", 1)}, "web", "public", []string{
			"? iptables-nft ip filter DOCKER-USER rule 1: -i eth0 -m limit --limit 5/min -j DROP"}},
		"nftables": {map[string]string{"nft": `{"nftables":[{"table":{"family":"inet","name":"fw"}},{"chain":{"family":"inet","table":"fw","name":"fwd","type":"filter","hook":"forward","prio":0,"policy":"accept"}},
			{"rule":{"family":"inet","table":"fw","chain":"fwd","expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"eth0"}},{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[22,80]}}},{"counter":{"packets":0,"bytes":0}},{"drop":null}]}}]}`},
			"web", "public", []string{"nft inet fw fwd rule 1: meta iifname eth0 tcp dport (set:[22,80]) counter drop"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Reach(factsOf(t, c.changes), c.target, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range a.Obstacles {
				got = append(got, o.String())
			}
			for _, d := range a.Doubts {
				got = append(got, "? "+d.Place.String())
			}
			for _, n := range a.Notes {
				got = append(got, "! "+n)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q\npath %v", got, c.want, a.Path)
			}
		})
	}
}

// netdev is a chain of nft that drops what comes in for port 8080 at an interface.
func netdev(device string) string {
	return `{"nftables":[{"table":{"family":"netdev","name":"nd"}},{"chain":{"family":"netdev","table":"nd","name":"in","type":"filter","hook":"ingress",` + device + `"prio":0,"policy":"accept"}},
		{"rule":{"family":"netdev","table":"nd","chain":"in","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":8080}},{"drop":null}]}}]}`
}

func TestTargetsThatAreNotThere(t *testing.T) {
	f := factsOf(t, nil)
	for target, want := range map[string]string{
		"other": `no container is called "other"`, "web:x": `"x" is not a port: a port is a number from 1 to 65535`, "0": `"0" is not a port: a port is a number from 1 to 65535`, "web/sctp": `"sctp" is neither tcp nor udp`,
		"10.0.0.9": "no running container has the address 10.0.0.9",
	} {
		if _, err := Reach(f, target, "public"); err == nil || err.Error() != want {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := Reach(f, "web", "mars"); err == nil || err.Error() != `"mars" is not an origin` {
		t.Error(err)
	}
}

// crowded is a docker host with 2,000 rules and 300 containers, as facts.sh prints it. Half of the
// rules are docker's own for these containers, half are an administrator's, who has them in a
// file. Where it is closed, each of those drops the packet.
func crowded(closed bool) string {
	const each = 300
	var drop, dnat, accept, masquerade, containers, inside, links, ports strings.Builder
	for i := range 1100 {
		rule := fmt.Sprintf("-s 192.0.2.%d/32 -p tcp -m tcp --dport %d -m conntrack --ctstate NEW", i%250, i+1)
		if closed {
			rule = fmt.Sprintf("! -s 192.0.2.%d/32 -p tcp -m comment --comment %d -m conntrack --ctstate NEW", i%250, i+1)
		}
		fmt.Fprintf(&drop, "-A DOCKER-USER %s -j DROP\n", rule)
	}
	for i := range each {
		address := fmt.Sprintf("172.17.%d.%d", 1+i/200, 2+i%200)
		fmt.Fprintf(&dnat, "-A DOCKER ! -i docker0 -p tcp -m tcp --dport %d -j DNAT --to-destination %s:80\n", 9000+i, address)
		fmt.Fprintf(&accept, "-A DOCKER -d %s/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n", address)
		fmt.Fprintf(&masquerade, "-A POSTROUTING -s %s/32 -d %s/32 -p tcp -m tcp --dport 80 -j MASQUERADE\n", address, address)
		pid := fmt.Sprint(1000 + i)
		containers.WriteString("\n" + strings.NewReplacer("/web", fmt.Sprintf("/c%d", i), `"pid":77`, `"pid":`+pid, "172.17.0.2", address, "8080", fmt.Sprint(9000+i)).Replace(plain["containers"]))
		inside.WriteString("\n" + strings.ReplaceAll(plain["inside"], "/77/", "/"+pid+"/"))
		fmt.Fprintf(&links, "\n%d: vethx%d@if5: <BROADCAST,UP> mtu 1500 master docker0 state UP\\    link/ether 5a:00:00:00:01:01 brd ff:ff:ff:ff:ff:ff", 100+i, i)
		fmt.Fprintf(&ports, "\n/proc/%s/root/sys/class/net/eth0/iflink:%d", pid, 100+i)
	}
	saved := strings.NewReplacer(
		"-A DOCKER-USER -j RETURN", drop.String()+"-A DOCKER-USER -j RETURN",
		"-A DOCKER -i docker0 -j RETURN\n", "-A DOCKER -i docker0 -j RETURN\n"+dnat.String(),
		"-A DOCKER-ISOLATION-STAGE-1 -i", accept.String()+"-A DOCKER-ISOLATION-STAGE-1 -i",
		"-A DOCKER -i docker0", masquerade.String()+"-A DOCKER -i docker0",
	).Replace(plain[rules])
	return answerText(map[string]string{rules: saved, "containers": plain["containers"] + containers.String(), "inside": plain["inside"] + inside.String(), "links": plain["links"] + links.String(), "ports": plain["ports"] + ports.String(),
		"file /etc/iptables/rules.v4": "*filter\n" + drop.String() + "COMMIT"})
}

// worked is the processor time that this process has used.
func worked(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// 2,000 rules and 300 containers take less than a second of our own time, in reach and in doctor,
// however busy the computer is.
func TestManyRulesAndContainers(t *testing.T) {
	for _, closed := range []bool{false, true} {
		text := crowded(closed)
		began := worked(t)
		answer, err := Reach(factsIn(t, text), "c299", "public")
		if err != nil || (answer.Verdict == Blocked) != closed {
			t.Fatal(answer, err)
		}
		reach := worked(t) - began
		began = worked(t)
		s, err := NewSurvey(factsIn(t, text))
		if err != nil {
			t.Fatal(err)
		}
		survey := worked(t) - began
		if closed && (len(s.Closed) != maxObstacles || len(s.Closed[0].Containers) != 301 || s.Closed[0].WrittenBy == nil) || !closed && len(s.Open) != 301 {
			t.Errorf("closed %v: %+v", closed, s)
		}
		t.Logf("closed %v: reach %v, survey %v", closed, reach, survey)
		if reach > time.Second || survey > time.Second {
			t.Errorf("closed %v: reach took %v, the survey %v", closed, reach, survey)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	text := crowded(false)
	for b.Loop() {
		factsIn(b, text)
	}
}

func BenchmarkReach(b *testing.B) {
	f := factsIn(b, crowded(false))
	for b.Loop() {
		if _, err := Reach(f, "c299", "public"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSurvey(b *testing.B) {
	f := factsIn(b, crowded(false))
	for b.Loop() {
		if _, err := NewSurvey(f); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzFacts(f *testing.F) {
	f.Add(answerText(nil))
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := netfacts.Collect(t.Context(), answering{text: text}, netfacts.DefaultSocket)
		if err != nil {
			return
		}
		for _, from := range []string{"public", "lan", "local", "container:web"} {
			_, _ = Reach(facts, "web", from)
		}
	})
}
