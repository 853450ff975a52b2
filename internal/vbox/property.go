package vbox

import (
	"fmt"
	"net/netip"
	"strings"
)

// GuestProperty asks for one of the properties that a guest's additions set.
func GuestProperty(name, property string) []string {
	return []string{"guestproperty", "get", name, property}
}

// GuestAddrProperty is the IPv4 address of the guest's n-th interface, from 0
// (VirtualBox manual, "Guest Properties").
func GuestAddrProperty(n int) string { return fmt.Sprintf("/VirtualBox/GuestInfo/Net/%d/V4/IP", n) }

// ParseGuestAddr reads "Value: 192.168.99.101", whose first word may be
// translated; zero for "No value set!" and for what is no address.
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
