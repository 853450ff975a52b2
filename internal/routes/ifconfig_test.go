package routes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const ifconfigMac = `lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384
	options=1203<RXCSUM,TXCSUM,TXSTATUS,SW_TIMESTAMP>
	inet 127.0.0.1 netmask 0xff000000
	inet6 ::1 prefixlen 128
	inet6 fe80::1%lo0 prefixlen 64 scopeid 0x1
en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ether a4:5e:60:c2:00:01
	inet 192.168.1.20 netmask 0xffffff00 broadcast 192.168.1.255
	media: autoselect
	status: active
utun0: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1380
	inet 10.8.0.2 --> 10.8.0.1 netmask 0xffffffff
vboxnet0: flags=8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ether 0a:00:27:00:00:00
bridge100: flags=8a63<UP,BROADCAST,SMART,RUNNING,ALLMULTI,SIMPLEX,MULTICAST> mtu 1500
	inet 192.168.59.1 netmask 0xffffff00 broadcast 192.168.59.255
	member: vmenet0 flags=3<LEARNING,DISCOVER>
	        ifmaxaddr 0 port 20 priority 0 path cost 0
`

func TestParseIfconfig(t *testing.T) {
	got, err := ParseIfconfig([]byte(ifconfigMac))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, []host.Link{
		link("lo0", "", "127.0.0.1/8", "::1/128", "fe80::1/64"),
		link("en0", "", "192.168.1.20/24"),
		link("utun0", "tun", "10.8.0.2/32"),
		{Name: "vboxnet0"},
		link("bridge100", "bridge", "192.168.59.1/24"),
	}, got)
	if _, err := ParseIfconfig([]byte("ifconfig: command not found\n")); err == nil {
		t.Error("no interface, no error")
	}
}

// link is one that is up.
func link(name, kind string, addrs ...string) host.Link {
	l := host.Link{Name: name, Kind: kind, Up: true}
	for _, a := range addrs {
		l.Addrs = append(l.Addrs, prefix(a))
	}
	return l
}

func TestTunnel(t *testing.T) {
	for _, l := range []host.Link{
		{Name: "utun12"}, {Name: "tun0"}, {Name: "ppp0"}, {Name: "ipsec0"}, {Name: "wg0"}, {Name: "gpd0"}, {Name: "cscotun0"}, {Name: "tailscale0"},
		{Name: "office", Kind: "wireguard"}, {Name: "corp", Kind: "tun"}, {Name: "wg-office"},
	} {
		if !Tunnel(l) {
			t.Errorf("%+v is a tunnel", l)
		}
	}
	for _, l := range []host.Link{
		{Name: "en0"}, {Name: "vboxnet0"}, {Name: "vboxnet0", Kind: "bridge"}, {Name: "vboxnet0", Kind: "veth"}, {Name: "vboxnet0", Kind: "tun"},
		{Name: "bridge100", Kind: "bridge"}, {Name: "docker0", Kind: "bridge"}, {Name: "tunnelblick"}, {Name: "lo0"}, {},
	} {
		if Tunnel(l) {
			t.Errorf("%+v is no tunnel", l)
		}
	}
}

// FuzzParseIfconfig: what was read, printed as ifconfig does, reads the same.
func FuzzParseIfconfig(f *testing.F) {
	f.Add(ifconfigMac)
	f.Add("a: flags=1<UP>\ninet 10.0.0.1/8\n")
	f.Fuzz(func(t *testing.T, out string) {
		links, err := ParseIfconfig([]byte(out))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, l := range links {
			flags := "RUNNING"
			if l.Up {
				flags = "UP," + flags
			}
			fmt.Fprintf(&b, "%s: flags=1<%s> mtu 1500\n", l.Name, flags)
			for _, a := range l.Addrs {
				if a.Addr().Is4() {
					fmt.Fprintf(&b, "\tinet %s netmask %s\n", a.Addr(), netmask(a))
				} else {
					fmt.Fprintf(&b, "\tinet6 %s prefixlen %d\n", a.Addr(), a.Bits())
				}
			}
		}
		again, err := ParseIfconfig([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, links, again)
	})
}
