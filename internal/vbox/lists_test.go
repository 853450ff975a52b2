package vbox

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func compare(t *testing.T, want, got any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestParseVMs(t *testing.T) {
	got, err := ParseVMs([]byte("WARNING: The vboxdrv kernel module is not loaded.\n" +
		"\"default\" {b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11}\n" +
		"\"a \"quoted\" {braced}\" {11111111-1111-1111-1111-111111111111}\r\n" +
		"\"<inaccessible>\" {22222222-2222-2222-2222-222222222222}\n"))
	compare(t, []VMRef{
		{"default", "b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11"},
		{`a "quoted" {braced}`, "11111111-1111-1111-1111-111111111111"},
		{"<inaccessible>", "22222222-2222-2222-2222-222222222222"},
	}, got, err)
	if _, err := ParseVMs([]byte(`"cut off`)); err == nil {
		t.Error("a line without UUID was read")
	}
}

func TestParseHostOnlyIfs(t *testing.T) {
	got, err := ParseHostOnlyIfs([]byte(`Name:            vboxnet0
GUID:            786f6276-656e-4074-8000-0a0027000000
DHCP:            Disabled
IPAddress:       192.168.99.1
NetworkMask:     255.255.255.0
IPV6Address:     fe80::800:27ff:fe00:0
IPV6NetworkMaskPrefixLength: 64
HardwareAddress: 0a:00:27:00:00:00
MediumType:      Ethernet
Wireless:        No
Status:          Up
VBoxNetworkName: HostInterfaceNetworking-vboxnet0

Name:            VirtualBox Host-Only Ethernet Adapter #2
Dhcp:            Enabled
IPAddress:       0.0.0.0
NetworkMask:     0.0.0.0
Status:          Down
VBoxNetworkName: HostInterfaceNetworking-VirtualBox Host-Only Ethernet Adapter #2

`))
	compare(t, []HostOnlyIf{
		{Name: "vboxnet0", Addr: netip.MustParsePrefix("192.168.99.1/24")},
		{Name: "VirtualBox Host-Only Ethernet Adapter #2"},
	}, got, err)
}

func TestParseCreated(t *testing.T) {
	for out, want := range map[string]string{
		"0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\nInterface 'vboxnet0' was successfully created\n": "vboxnet0",
		"0%...\nProgress state: NS_ERROR_FAILURE\n": "",
		"it's not": "",
	} {
		if got := ParseCreated([]byte(out)); got != want {
			t.Errorf("%q: %q", out, got)
		}
	}
}

// The blank line after the GUID is VirtualBox 7.0's (hashicorp/vagrant's fixtures have it).
func TestParseHostOnlyNets(t *testing.T) {
	got, err := ParseHostOnlyNets([]byte(`Name:            minikube-hostonly-192.168.59.1
GUID:            00000000-0000-0000-0000-000000000001

State:           Enabled
NetworkMask:     255.255.255.0
LowerIP:         192.168.59.100
UpperIP:         192.168.59.254
VBoxNetworkName: hostonly-minikube-hostonly-192.168.59.1

Name:            off
State:           Disabled
NetworkMask:     255.255.0.0
LowerIP:         10.10.0.1
UpperIP:         10.10.0.9
`))
	compare(t, []HostOnlyNet{
		{"minikube-hostonly-192.168.59.1", 24, netip.MustParseAddr("192.168.59.100"), netip.MustParseAddr("192.168.59.254"), false},
		{"off", 16, netip.MustParseAddr("10.10.0.1"), netip.MustParseAddr("10.10.0.9"), true},
	}, got, err)
}

// The order is VBoxManageList.cpp's; the words are not VirtualBox's own translation.
func TestListsInAnotherLanguage(t *testing.T) {
	ifs, err := ParseHostOnlyIfs([]byte(`Имя:             vboxnet0
GUID:            786f6276-656e-4074-8000-0a0027000000
DHCP:            Выключен
IP-адрес:        192.168.99.1
Маска сети:      255.255.255.0
IPv6-адрес:      fe80::800:27ff:fe00:0
Длина префикса IPv6: 64
MAC-адрес:       0a:00:27:00:00:00
Состояние:       Работает
VBoxNetworkName: HostInterfaceNetworking-vboxnet0

Имя:             vboxnet1
GUID:            786f6276-656e-4174-8000-0a0027000001
DHCP:            Выключен
IP-адрес:        192.168.56.1
Маска сети:      255.255.255.0
`))
	compare(t, []HostOnlyIf{{"vboxnet0", netip.MustParsePrefix("192.168.99.1/24")}, {"vboxnet1", netip.MustParsePrefix("192.168.56.1/24")}}, ifs, err)
	nets, err := ParseHostOnlyNets([]byte(`Имя:             docker-machine
GUID:            00000000-0000-0000-0000-000000000001

Состояние:       Включён
Маска сети:      255.255.255.0
Нижний IP:       192.168.99.1
Верхний IP:      192.168.99.254
VBoxNetworkName: hostonly-docker-machine
`))
	compare(t, []HostOnlyNet{{"docker-machine", 24, netip.MustParseAddr("192.168.99.1"), netip.MustParseAddr("192.168.99.254"), false}}, nets, err)
	refs, err := ParseVMs([]byte("\"<недоступна>\" {22222222-2222-2222-2222-222222222222}\n"))
	if err != nil || len(refs) != 1 || !refs[0].Inaccessible() {
		t.Errorf("%v, %v", refs, err)
	}
}

func TestParseVersion(t *testing.T) {
	for out, want := range map[string]Version{
		"4.3.40r110317\n":        {4, 3, 40, "4.3.40r110317"},
		"5.2.42_Ubuntur137960\n": {5, 2, 42, "5.2.42_Ubuntur137960"},
		"6.1.28r147628\r\n":      {6, 1, 28, "6.1.28r147628"},
		"7.0.16_Debianr162802\n": {7, 0, 16, "7.0.16_Debianr162802"},
		"7.2.0_BETA1r169176\n":   {7, 2, 0, "7.2.0_BETA1r169176"},
		"WARNING: The vboxdrv kernel module is not loaded. Either there is no module\n         available for the current kernel (4.18.0-553.16.1.el8_10.x86_64) or it failed to\n\n           sudo /sbin/vboxconfig\n\n7.0.22r165102\n": {7, 0, 22, "7.0.22r165102"},
	} {
		got, err := ParseVersion([]byte(out))
		compare(t, want, got, err)
	}
	if v, err := ParseVersion([]byte("WARNING: kernel 4.18.0 is old\n")); err == nil {
		t.Errorf("read %v out of a warning", v)
	}
}

func TestAtLeast(t *testing.T) {
	v := Version{Major: 6, Minor: 1, Patch: 28}
	for _, c := range []struct {
		major, minor, patch int
		want                bool
	}{{6, 1, 28, true}, {6, 1, 29, false}, {6, 0, 99, true}, {5, 9, 99, true}, {7, 0, 0, false}, {6, 2, 0, false}} {
		if got := v.AtLeast(c.major, c.minor, c.patch); got != c.want {
			t.Errorf("6.1.28 at least %d.%d.%d: %v", c.major, c.minor, c.patch, got)
		}
	}
}

// FuzzParseVMs: printed again, the list reads the same.
func FuzzParseVMs(f *testing.F) {
	f.Add("\"a\" {u}\n\"b\" {c}\" {v}\n")
	f.Fuzz(func(t *testing.T, out string) {
		refs, err := ParseVMs([]byte(out))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, r := range refs {
			fmt.Fprintf(&b, "\"%s\" {%s}\n", r.Name, r.UUID)
		}
		again, err := ParseVMs([]byte(b.String()))
		compare(t, refs, again, err)
	})
}

// FuzzParseHostOnlyIfs: printed again, the list reads the same.
func FuzzParseHostOnlyIfs(f *testing.F) {
	f.Add("Name: vboxnet0\nIPAddress: 192.168.99.1\nNetworkMask: 255.255.255.0\nStatus: Up\nDHCP: Enabled\n")
	f.Add("Name: x\nName: y\nIPAddress: ::1\nNetworkMask: 255.0.0.0\n")
	f.Add("Имя: vboxnet0\nGUID: 7\nDHCP: -\nАдрес: 192.168.99.1\nМаска: 255.255.255.0\n")
	f.Fuzz(func(t *testing.T, out string) {
		ifs, err := ParseHostOnlyIfs([]byte(out))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, i := range ifs {
			fmt.Fprintf(&b, "Name: %s\n", i.Name)
			if i.Addr.IsValid() {
				fmt.Fprintf(&b, "IPAddress: %s\nNetworkMask: %s\n", i.Addr.Addr(), netmask(i.Addr))
			}
		}
		again, err := ParseHostOnlyIfs([]byte(b.String()))
		compare(t, ifs, again, err)
	})
}

// FuzzParseHostOnlyNets: what is read is whole.
func FuzzParseHostOnlyNets(f *testing.F) {
	f.Add("Name: n\nState: Enabled\nNetworkMask: 255.255.255.0\nLowerIP: 192.168.59.1\nUpperIP: 192.168.59.9\n")
	f.Fuzz(func(t *testing.T, out string) {
		nets, err := ParseHostOnlyNets([]byte(out))
		if err != nil {
			return
		}
		for _, n := range nets {
			if !n.Lower.IsValid() || n.Mask < 0 || n.Mask > 32 {
				t.Errorf("%+v", n)
			}
		}
	})
}

// FuzzParseVersion: the text alone gives the same version.
func FuzzParseVersion(f *testing.F) {
	f.Add("6.1.28r147628")
	f.Add("warning\n\n7.0.16_Debianr162802\n")
	f.Fuzz(func(t *testing.T, out string) {
		v, err := ParseVersion([]byte(out))
		if err != nil {
			return
		}
		again, err := ParseVersion([]byte(v.Text))
		compare(t, v, again, err)
	})
}
