package laptop

import (
	"context"
	"regexp"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// LocalNetworkSettings is the argument of macOS's open that shows which programs may use
// the local network.
const LocalNetworkSettings = "x-apple.systempreferences:com.apple.preference.security?Privacy_LocalNetwork"

// systemVersion is where macOS names its own version.
const systemVersion = "/System/Library/CoreServices/SystemVersion.plist"

var productVersion = regexp.MustCompile(`<key>ProductVersion</key>\s*<string>(\d+)\.`)

// AsksForLocalNetwork reports whether this macOS lets only those programs use the local
// network that the user has allowed to: since 15 (Apple TN3179). Where it does not name
// its version it is taken to be new.
func (n *Network) AsksForLocalNetwork(ctx context.Context) bool {
	if n.host.OS() != host.Darwin {
		return false
	}
	plist, err := n.host.ReadFile(ctx, systemVersion)
	if err != nil {
		return true
	}
	m := productVersion.FindSubmatch(plist)
	if m == nil {
		return true
	}
	major, err := strconv.Atoi(string(m[1]))
	return err != nil || major >= 15
}

// DeniesLocalNetwork reports whether macOS keeps this program from the local network: a
// connection to the docker host, at addr, ends at once although the way to it and its neighbor
// are right. A VPN may refuse packets in the same way, and a neighbor that does not answer must
// not be taken for it, also where the kernel has found that out only now.
func (n *Network) DeniesLocalNetwork(ctx context.Context, to Destination, addr string) bool {
	if !n.AsksForLocalNetwork(ctx) || !host.UnreachableAtOnce(ctx, n.host, addr) {
		return false
	}
	view, err := n.Route(ctx, to)
	return err == nil && view.RouteErr == nil && !view.NoNeighbor && !view.Route.Gateway.IsValid() && !n.VPN(ctx, view).Connected
}

// bundle is the application that a program of macOS is in.
var bundle = regexp.MustCompile(`/([^/]+)\.app/`)

// App is the application whose permissions count for this program: the outermost of those
// that have started it, such as "Terminal"; "" where there is none.
func (n *Network) App(ctx context.Context) string {
	names, err := n.host.Ancestors(ctx)
	if err != nil {
		return ""
	}
	for _, name := range slices.Backward(names) {
		if m := bundle.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return ""
}
