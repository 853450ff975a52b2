package host

import (
	"testing"

	"github.com/vishvananda/netlink"
)

func TestKindOfALink(t *testing.T) {
	for want, l := range map[string]netlink.Link{
		"tun": &netlink.Tuntap{Mode: netlink.TUNTAP_MODE_TUN}, "tap": &netlink.Tuntap{Mode: netlink.TUNTAP_MODE_TAP}, "bridge": &netlink.Bridge{},
	} {
		if got := kind(l); got != want {
			t.Errorf("%T: %s, want %s", l, got, want)
		}
	}
}
