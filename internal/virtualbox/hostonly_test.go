package virtualbox

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnAdapterThatIsGoneIsMade(t *testing.T) {
	const gone = `VirtualBox 6.1; the texts are VBoxManageHostonly.cpp's.

-- computer --
os darwin
-- $ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0 => exit 1 --
-- stderr --
VBoxManage: error: The host network interface named 'vboxnet1' could not be found
-- $ VBoxManage hostonlyif create => scene made --
0%...10%...100%
Interface 'NAME' was successfully created
-- $ VBoxManage hostonlyif remove vboxnet0 --
-- scene made --
-- $ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0 --
`
	const ipconfig = "$ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0"
	for name, want := range map[string][]string{
		"vboxnet1": {ipconfig, "$ VBoxManage hostonlyif create", ipconfig},
		"vboxnet0": {ipconfig, "$ VBoxManage hostonlyif create", "$ VBoxManage hostonlyif remove vboxnet0"},
	} {
		v, c := on(t, strings.ReplaceAll(gone, "NAME", name))
		err := v.SetAddress(t.Context(), "vboxnet1", netip.MustParsePrefix("192.168.99.1/24"))
		if (err == nil) != (name == "vboxnet1") {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.Ran()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAddressesThatVirtualBoxForbids(t *testing.T) {
	const conf = "-- /etc/vbox/networks.conf --\n* 10.0.0.0/8\n"
	for situation, tt := range map[string]struct {
		os, version, conf, addr string
		want                    string // the line that would allow it
	}{
		"outside_of_the_default":        {"linux", "6.1.28r147628", "", "192.168.99.1/24", "* 192.168.56.0/21 192.168.99.0/24"},
		"outside_of_the_file":           {"darwin", "6.1.28r147628", conf, "192.168.99.1/24", "* 192.168.99.0/24"},
		"allowed_by_the_default":        {"linux", "6.1.28r147628", "", "192.168.56.1/24", ""},
		"allowed_by_the_file":           {"linux", "6.1.28r147628", conf, "10.1.2.1/24", ""},
		"by_one_that_has_no_such_limit": {"linux", "6.1.26r145957", "", "192.168.99.1/24", ""},
		"a_file_that_cannot_be_read":    {"linux", "6.1.28r147628", "-- /etc/vbox/networks.conf => permission denied --\n", "192.168.99.1/24", ""},
	} {
		t.Run(situation, func(t *testing.T) {
			v, _ := on(t, "x\n-- computer --\nos "+tt.os+"\n"+tt.conf+"-- $ VBoxManage --version --\n"+tt.version+"\n")
			allow, forbidden := v.Forbids(t.Context(), netip.MustParsePrefix(tt.addr))
			if !forbidden {
				allow.Line = ""
			}
			if allow.Line != tt.want {
				t.Errorf("%q, want %q", allow.Line, tt.want)
			}
		})
	}
}

// VirtualBox 7 manual, "Host-Only Networks".
func TestTheHostOnlyNetworkOfAnAddress(t *testing.T) {
	const nets = `macOS 13, VirtualBox 7.0.

-- computer --
os darwin
-- $ VBoxManage list hostonlynets --
Name:            HostNetwork
GUID:            1b5f0c00-0000-4000-8000-000000000000

State:           Enabled
NetworkMask:     255.255.255.0
LowerIP:         192.168.99.1
UpperIP:         192.168.99.254
VBoxNetworkName: hostonly-HostNetwork
`
	v, _ := on(t, nets)
	got, err := v.HostOnlyNets(t.Context())
	if err != nil || len(got) != 1 || !got[0].Gives(netip.MustParsePrefix("192.168.99.1/24")) ||
		got[0].Gives(netip.MustParsePrefix("192.168.99.2/24")) || got[0].Overlaps(netip.MustParsePrefix("192.168.56.1/24")) {
		t.Error(got, err)
	}
}
