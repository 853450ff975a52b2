// Package laptop asks the computer on which the program runs which way packets take, which VPN
// takes them, and which programs listen.
package laptop

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// adviceTime is how long questions may take on which only advice depends: the VPN's name, the
// listeners.
const adviceTime = 2 * time.Second

// Network answers questions about the laptop's network.
type Network struct {
	host       host.Laptop
	remembered *answers // nil if answers are not remembered
}

// answers are the answers that are the same for all machines.
type answers struct {
	vpn       memo.ByKey[string, routes.Client] // by the interface that owns the route
	listeners memo.Of[[]routes.Listener]
}

// New returns the Network of a laptop.
func New(h host.Laptop) *Network { return &Network{host: h} }

// ForManyMachines returns a Network that remembers answers, for a command that looks at many
// machines and changes nothing.
func ForManyMachines(h host.Laptop) *Network { return &Network{host: h, remembered: &answers{}} }

// Boot returns an identifier of the laptop's present boot. What a reboot has removed, such as a
// route, must not be undone. Linux: random(4), boot_id. macOS: kern.bootsessionuuid (XNU,
// bsd/kern/kern_sysctl.c).
func Boot(ctx context.Context, h host.Laptop) (string, error) {
	if h.OS() == host.Linux {
		id, err := h.ReadFile(ctx, "/proc/sys/kernel/random/boot_id")
		return strings.TrimSpace(string(id)), err
	}
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "kern.bootsessionuuid"}})
	return strings.TrimSpace(string(out.Stdout)), err
}

// AppleSilicon reports whether the laptop is a Mac with an Apple chip, even if this program was
// built for Intel.
func AppleSilicon(ctx context.Context, h host.Laptop) bool {
	if h.OS() != host.Darwin {
		return false
	}
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "hw.optional.arm64"}})
	return err == nil && string(bytes.TrimSpace(out.Stdout)) == "1"
}
