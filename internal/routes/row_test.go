package routes

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func netmask(p netip.Prefix) string {
	if p.Addr().Is6() {
		a, _ := netip.AddrFromSlice(net.CIDRMask(p.Bits(), 128))
		return a.String()
	}
	m := ^(uint32(0xffffffff) >> max(p.Bits(), 0))
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func compare(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// before and after are from onejli/docker-vpn-helper's README (OS X 10.10 or 10.11): with Refs and
// Use, and vboxnet0 shortened.
const before = `Routing tables

Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            192.168.1.1        UGSc           82        0     en0
127                127.0.0.1          UCS             0        0     lo0
127.0.0.1          127.0.0.1          UH              5    12345     lo0
169.254            link#4             UCS             0        0     en0
192.168.1          link#4             UCS             2        0     en0
192.168.99         link#11            UC              1        0 vboxnet
192.168.99.100     8:0:27:0:ed:24     UHLWIi          3       11 vboxnet   1179
255.255.255.255/32 link#4             UCS             0        0     en0

Internet6:
Destination                             Gateway                         Flags         Netif Expire
::1                                     ::1                             UHL             lo0
192                                     fe80::1%lo0                     UcI             lo0
`

const after = `Routing tables

Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            192.168.1.1        UGSc           82        0     en0
192.168.99         link#9             UCS             0        0   utun0
`

// full is macOS 10.15 and later: neither Refs nor Use, "!" as expiry, a second
// default route that is scoped, a full tunnel in two halves.
const full = `Routing tables

Internet:
Destination        Gateway            Flags           Netif Expire
0/1                utun3              UScg            utun3
default            192.168.1.1        UGScg             en0
default            link#15            UCSIg       bridge100      !
128.0/1            utun3              USc             utun3
172.17.8/24        link#19            UC           vboxnet1      !
192.168.0/16       gw.example.org     UGSc            utun3
`

// doubling is a full tunnel in pieces of increasing size, as some OpenVPN servers push it, with
// netstat -rnl's column Mtu.
const doubling = `Internet:
Destination        Gateway            Flags        Refs      Use    Mtu        Netif Expire
1                  10.8.0.1           UGSc            0        0   1500        utun2
2/7                10.8.0.1           UGSc            0        0   1500        utun2
4/6                10.8.0.1           UGSc            0        0   1500        utun2
8/5                10.8.0.1           UGSc            0        0   1500        utun2
16/4               10.8.0.1           UGSc            0        0   1500        utun2
32/3               10.8.0.1           UGSc            0        0   1500        utun2
64/2               10.8.0.1           UGSc            0        0   1500        utun2
128.0/1            10.8.0.1           UGSc            0        0   1500        utun2
default            192.168.1.1        UGSc            0        0   1500          en0
`

func TestParseNetstat(t *testing.T) {
	for situation, c := range map[string]struct {
		out  string
		want []Row
	}{
		"old_columns_cut_names_ipv6_after": {before, []Row{
			{prefix("0.0.0.0/0"), "UGSc", "en0"},
			{prefix("127.0.0.0/8"), "UCS", "lo0"},
			{prefix("127.0.0.1/32"), "UH", "lo0"},
			{prefix("169.254.0.0/16"), "UCS", "en0"},
			{prefix("192.168.1.0/24"), "UCS", "en0"},
			{prefix("192.168.99.0/24"), "UC", "vboxnet"},
			{prefix("192.168.99.100/32"), "UHLWIi", "vboxnet"},
			{prefix("255.255.255.255/32"), "UCS", "en0"},
		}},
		"new_columns_scoped_row_gateways_with_names": {full, []Row{
			{prefix("0.0.0.0/1"), "UScg", "utun3"},
			{prefix("0.0.0.0/0"), "UGScg", "en0"},
			{prefix("0.0.0.0/0"), "UCSIg", "bridge100"},
			{prefix("128.0.0.0/1"), "USc", "utun3"},
			{prefix("172.17.8.0/24"), "UC", "vboxnet1"},
			{prefix("192.168.0.0/16"), "UGSc", "utun3"},
		}},
		"ipv6_table_alone_before": {"Internet6:\nDestination Gateway Flags Netif\n10 x UC lo0\n\nInternet:\nDestination Gateway Flags Netif\n10/8 link#1 UC en0\n",
			[]Row{{prefix("10.0.0.0/8"), "UC", "en0"}}},
		"no_rows": {"Internet:\nDestination Gateway Flags Netif Expire\n", nil},
	} {
		t.Run(situation, func(t *testing.T) {
			got, err := ParseNetstat([]byte(c.out))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, c.want, got)
		})
	}
	if _, err := ParseNetstat([]byte("netstat: command not found\n")); err == nil {
		t.Error("no table, no error")
	}
}

func TestParseDestination(t *testing.T) {
	for in, want := range map[string]string{
		"default": "0.0.0.0/0", "192.168.99": "192.168.99.0/24", "10/8": "10.0.0.0/8", "10": "10.0.0.0/8", "1": "1.0.0.0/8",
		"0/1": "0.0.0.0/1", "128.0/1": "128.0.0.0/1", "2/7": "2.0.0.0/7", "4/6": "4.0.0.0/6", "172.16/12": "172.16.0.0/12",
		"169.254": "169.254.0.0/16", "192.168.99.100": "192.168.99.100/32", "192.168.1.1/32": "192.168.1.1/32",
		"192.168.99.128/25": "192.168.99.128/25", "224.0.0/4": "224.0.0.0/4", "169.254.1.1%en0": "169.254.1.1/32",
	} {
		if got, err := ParseDestination(in); err != nil || got != prefix(want) {
			t.Errorf("%s: %v %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "localhost", "::1", "fe80::/10", "1.2.3.4.5", "10/33", "10/", "256", "10.0.0&0xff0000ff"} {
		if got, err := ParseDestination(in); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}

func TestLookup(t *testing.T) {
	addr := netip.MustParseAddr("192.168.99.100")
	for situation, c := range map[string]struct{ out, want string }{
		"healthy":                      {before, "vboxnet"}, // the scoped host row does not count
		"anyconnect_split_tunnel":      {after, "utun0"},
		"full_tunnel_and_private_nets": {full, "utun3"},
		"full_tunnel_doubling":         {doubling, "utun2"},
	} {
		rows, err := ParseNetstat([]byte(c.out))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := Lookup(rows, addr); !ok || got.Link != c.want {
			t.Errorf("%s: %+v, want %s", situation, got, c.want)
		}
	}
	if got, ok := Lookup(nil, addr); ok {
		t.Errorf("empty table: %+v", got)
	}
}

func TestExpand(t *testing.T) {
	links := []host.Link{{Name: "en0"}, {Name: "vboxnet0"}, {Name: "bridge100"}, {Name: "bridge101"}}
	for in, want := range map[string]string{"vboxnet": "vboxnet0", "en0": "en0", "bridge1": "bridge1", "utun": "utun", "": ""} {
		if got := Expand(in, links); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzParseNetstat: what was read, printed in the short columns, reads the same;
// whatever Lookup finds has the address in it.
func FuzzParseNetstat(f *testing.F) {
	f.Add(before)
	f.Add(full)
	f.Add(doubling)
	f.Fuzz(func(t *testing.T, out string) {
		rows, err := ParseNetstat([]byte(out))
		if err != nil {
			return
		}
		var b strings.Builder
		b.WriteString("Destination Flags Netif\n")
		for _, r := range rows {
			fmt.Fprintf(&b, "%s %s %s\n", r.Dst, r.Flags, r.Link)
		}
		again, err := ParseNetstat([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, rows, again)
		addr := netip.MustParseAddr("192.168.99.100")
		if r, ok := Lookup(rows, addr); ok && (!r.Dst.Contains(addr) || r.Scoped()) {
			t.Errorf("%+v", r)
		}
	})
}

// FuzzParseDestination: a destination is read to a network without host bits, and
// that network's long form reads the same.
func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"default", "192.168.99", "10/8", "128.0/1", "1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseDestination(s)
		if err != nil {
			return
		}
		if again, err := ParseDestination(p.String()); err != nil || again != p || p != p.Masked() {
			t.Errorf("%q: %v, then %v %v", s, p, again, err)
		}
	})
}
