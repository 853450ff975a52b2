package routes

import (
	"errors"
	"net/netip"
	"strings"

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

// Refused is what macOS's route complains of on stderr: it exits with 0 whatever
// the kernel answers (main in route.tproj/route.c of Apple's network_cmds).
func Refused(stderr []byte) error {
	_, complaint, found := strings.Cut(string(stderr), "writing to routing socket: ")
	if !found {
		return nil
	}
	complaint, _, _ = strings.Cut(complaint, "\n")
	return errors.New("route: " + strings.TrimSpace(complaint))
}

// Drop undoes what ReAdd did where there was no route before.
func Drop(os string, net netip.Prefix, adapter string) (argv []string) {
	if os == host.Darwin {
		return []string{"route", "-n", "delete", "-net", net.Masked().String(), "-interface", adapter}
	}
	return []string{"ip", "route", "del", net.Masked().String(), "dev", adapter}
}
