// Package laptop asks the computer that the program runs on which way packets leave it,
// which VPN has them, and which programs listen.
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

// adviceTime bounds what is asked for advice alone: the VPN's name, the listeners.
const adviceTime = 2 * time.Second

// Network is the laptop's network.
type Network struct {
	host       host.Laptop
	remembered *answers // nil where each question is asked anew
}

// answers are those that do not differ between machines.
type answers struct {
	vpn       memo.ByKey[string, routes.Client] // by the interface that owns the route
	listeners memo.Of[[]routes.Listener]
}

// New is the network of a laptop.
func New(h host.Laptop) *Network { return &Network{host: h} }

// ForManyMachines remembers answers, for a command that looks at many machines and
// changes nothing.
func ForManyMachines(h host.Laptop) *Network { return &Network{host: h, remembered: &answers{}} }

// Boot names the present boot of the laptop: what a reboot has ended, such as a route,
// is not to be undone. Linux: random(4), boot_id. macOS: kern.bootsessionuuid (XNU,
// bsd/kern/kern_sysctl.c).
func Boot(ctx context.Context, h host.Laptop) (string, error) {
	if h.OS() == host.Linux {
		id, err := h.ReadFile(ctx, "/proc/sys/kernel/random/boot_id")
		return strings.TrimSpace(string(id)), err
	}
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "kern.bootsessionuuid"}})
	return strings.TrimSpace(string(out.Stdout)), err
}

// AppleSilicon reports whether this is a Mac with an Apple chip, whatever this program
// was built for.
func AppleSilicon(ctx context.Context, h host.Laptop) bool {
	if h.OS() != host.Darwin {
		return false
	}
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "hw.optional.arm64"}})
	return err == nil && string(bytes.TrimSpace(out.Stdout)) == "1"
}
