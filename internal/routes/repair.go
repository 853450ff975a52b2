package routes

import (
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Step is one command, program name included, that needs root's rights.
type Step struct {
	Argv    []string
	MayFail bool // it clears the way; what it would clear is often not there
}

// ReAdd puts the route to net by way of adapter back. src is the laptop's own
// address on it, zero where unknown; only Linux needs it. On macOS a route that
// is listed but dead has to go first (kubernetes/minikube#4302, docker/machine#1500).
// Systems that this package does not know have no steps.
func ReAdd(os string, net netip.Prefix, adapter string, src netip.Addr) []Step {
	net = net.Masked()
	switch os {
	case host.Darwin:
		return []Step{
			{Argv: []string{"route", "-n", "delete", "-net", net.String()}, MayFail: true},
			{Argv: []string{"route", "-n", "add", "-net", net.String(), "-interface", adapter}},
		}
	case host.Linux:
		// As the kernel itself writes it when the adapter gets its address.
		argv := []string{"ip", "route", "replace", net.String(), "dev", adapter, "proto", "kernel", "scope", "link"}
		if src.IsValid() {
			argv = append(argv, "src", src.String())
		}
		return []Step{{Argv: argv}}
	}
	return nil
}

// Drop takes back what ReAdd did where there was no route before.
func Drop(os string, net netip.Prefix, adapter string) []Step {
	net = net.Masked()
	switch os {
	case host.Darwin:
		return []Step{{Argv: []string{"route", "-n", "delete", "-net", net.String(), "-interface", adapter}, MayFail: true}}
	case host.Linux:
		return []Step{{Argv: []string{"ip", "route", "del", net.String(), "dev", adapter}, MayFail: true}}
	}
	return nil
}

// SetAddress gives the adapter its address and brings it up; the kernel then adds
// the route by itself. On Linux it is often only the address that was lost
// (docker/machine#2136, #657).
func SetAddress(os, adapter string, addr netip.Prefix) []Step {
	switch os {
	case host.Darwin:
		return []Step{{Argv: []string{"ifconfig", adapter, "inet", addr.Addr().String(), "netmask", netmask(addr), "up"}}}
	case host.Linux:
		return []Step{
			{Argv: []string{"ip", "addr", "replace", addr.String(), "dev", adapter}},
			{Argv: []string{"ip", "link", "set", "dev", adapter, "up"}},
		}
	}
	return nil
}

// UnsetAddress takes the address away again; the adapter stays up.
func UnsetAddress(os, adapter string, addr netip.Prefix) []Step {
	switch os {
	case host.Darwin:
		return []Step{{Argv: []string{"ifconfig", adapter, "inet", addr.Addr().String(), "-alias"}, MayFail: true}}
	case host.Linux:
		return []Step{{Argv: []string{"ip", "addr", "del", addr.String(), "dev", adapter}, MayFail: true}}
	}
	return nil
}

func netmask(p netip.Prefix) string {
	m := ^(uint32(0xffffffff) >> max(p.Bits(), 0))
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}
