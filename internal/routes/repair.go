package routes

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Step is one command, including the program's name, that needs root.
type Step struct {
	Argv    []string
	MayFail bool // it removes a route that often does not exist
}

// ReAdd returns the commands that restore the route to net through adapter. src is the laptop's own
// address on it, or zero if unknown; only Linux uses it. On macOS a route that is listed but dead
// must be deleted first (kubernetes/minikube#4302, docker/machine#1500). There are no commands for
// other systems.
func ReAdd(os string, net netip.Prefix, adapter string, src netip.Addr) []Step {
	net = net.Masked()
	switch os {
	case host.Darwin:
		return []Step{
			{Argv: []string{"route", "-n", "delete", "-net", net.String()}, MayFail: true},
			{Argv: []string{"route", "-n", "add", "-net", net.String(), "-interface", adapter}},
		}
	case host.Linux:
		// As the kernel itself adds it when the adapter gets its address.
		argv := []string{"ip", "route", "replace", net.String(), "dev", adapter, "proto", "kernel", "scope", "link"}
		if src.IsValid() {
			argv = append(argv, "src", src.String())
		}
		return []Step{{Argv: argv}}
	}
	return nil
}

// ReplyError returns the error that macOS's route printed on stderr, or nil: route exits with 0
// whatever the kernel replies (main in route.tproj/route.c of Apple's network_cmds).
func ReplyError(stderr []byte) error {
	_, complaint, found := strings.Cut(string(stderr), "writing to routing socket: ")
	if !found {
		return nil
	}
	complaint, _, _ = strings.Cut(complaint, "\n")
	return errors.New("route: " + strings.TrimSpace(complaint))
}

// Drop returns the command that undoes ReAdd if there was no route before.
func Drop(os string, net netip.Prefix, adapter string) (argv []string) {
	if os == host.Darwin {
		return []string{"route", "-n", "delete", "-net", net.Masked().String(), "-interface", adapter}
	}
	return []string{"ip", "route", "del", net.Masked().String(), "dev", adapter}
}
