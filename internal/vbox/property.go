package vbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// GuestProperty asks for a property that the guest additions set.
func GuestProperty(name, property string) []string {
	return []string{"guestproperty", "get", name, property}
}

// GuestAddrProperty returns the property that has the IPv4 address of the guest's n-th interface,
// from 0 (VirtualBox manual, "Guest Properties").
func GuestAddrProperty(n int) string { return fmt.Sprintf("/VirtualBox/GuestInfo/Net/%d/V4/IP", n) }

// ParseGuestAddr parses "Value: 192.168.99.101", of which the first word may be translated. It
// returns the zero Addr for "No value set!" and for anything else that is not an IPv4 address.
func ParseGuestAddr(out []byte) netip.Addr {
	for line := range strings.Lines(string(out)) {
		if _, value, ok := strings.Cut(line, ": "); ok {
			a, err := netip.ParseAddr(strings.TrimSpace(value))
			if err == nil && a.Is4() && !a.IsUnspecified() {
				return a
			}
		}
	}
	return netip.Addr{}
}
