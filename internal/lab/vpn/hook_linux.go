package vpn

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Hook is what openconnect calls in place of vpnc-script when the tunnel comes
// and goes (openconnect(8), "--script"). args are MODE and the file to write when
// the routes are in place; environ is what openconnect sets.
//
// It treats routes as AnyConnect does: the networks that the gateway names go
// into the tunnel, whatever route to them there was. Mode "rude" leaves nothing
// behind: the tunnel's routes go with the tunnel. Mode "clean" puts back the route
// of the interface that has an address in that network.
func Hook(ctx context.Context, args []string, getenv func(string) string) error {
	if len(args) != 2 {
		return fmt.Errorf("vpn-script: want MODE FILE, got %q", args)
	}
	mode, done := args[0], args[1]
	dev := getenv("TUNDEV")
	routes, err := splitRoutes(getenv)
	if err != nil {
		return err
	}
	switch getenv("reason") {
	case "connect":
		lines := []string{
			"link set " + dev + " up mtu " + getenv("INTERNAL_IP4_MTU"),
			"addr add " + getenv("INTERNAL_IP4_ADDRESS") + "/32 dev " + dev,
		}
		for _, r := range routes {
			lines = append(lines, "route replace "+r.String()+" dev "+dev)
		}
		if err := ip(ctx, lines); err != nil {
			return err
		}
		return os.WriteFile(done, nil, 0o644)
	case "disconnect":
		if mode != "clean" {
			return nil
		}
		var lines []string
		for _, r := range routes {
			link, src, err := owner(ctx, r, dev)
			if err != nil {
				return err
			}
			if link != "" {
				lines = append(lines, fmt.Sprintf("route replace %s dev %s proto kernel scope link src %s", r, link, src))
			}
		}
		return ip(ctx, lines)
	}
	return nil
}

func splitRoutes(getenv func(string) string) ([]netip.Prefix, error) {
	n, _ := strconv.Atoi(getenv("CISCO_SPLIT_INC"))
	var routes []netip.Prefix
	for i := range n {
		key := fmt.Sprintf("CISCO_SPLIT_INC_%d_", i)
		p, err := netip.ParsePrefix(getenv(key+"ADDR") + "/" + getenv(key+"MASKLEN"))
		if err != nil {
			return nil, err
		}
		routes = append(routes, p)
	}
	if n == 0 { // no list: everything
		routes = append(routes, netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1"))
	}
	return routes, nil
}

// owner finds the interface, other than the tunnel, whose address is in net.
func owner(ctx context.Context, net netip.Prefix, tunnel string) (link, addr string, err error) {
	out, err := exec.CommandContext(ctx, "ip", "-o", "-4", "addr", "show").Output()
	if err != nil {
		return "", "", err
	}
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Fields(line) // 3: vboxnet0 inet 192.168.99.1/24 …
		if len(f) < 4 || f[1] == tunnel {
			continue
		}
		if p, err := netip.ParsePrefix(f[3]); err == nil && p.Masked() == net {
			return f[1], p.Addr().String(), nil
		}
	}
	return "", "", nil
}

func ip(ctx context.Context, lines []string) error {
	cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	return nil
}
