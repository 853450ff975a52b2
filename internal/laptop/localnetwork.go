package laptop

import (
	"context"
	"regexp"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// LocalNetworkSettings is the argument for macOS's open command that shows which programs may use
// the local network.
const LocalNetworkSettings = "x-apple.systempreferences:com.apple.preference.security?Privacy_LocalNetwork"

// systemVersion is the file with the version of macOS.
const systemVersion = "/System/Library/CoreServices/SystemVersion.plist"

var productVersion = regexp.MustCompile(`<key>ProductVersion</key>\s*<string>(\d+)\.`)

// AsksForLocalNetwork reports whether this macOS allows programs to use the local network only with
// the user's permission, as it does since macOS 15 (Apple TN3179). If its version cannot be read,
// it returns true.
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

// DeniesLocalNetwork reports whether macOS denies this program the local network: connecting to the
// docker host at addr fails at once although the route and the neighbor are fine. Two other causes
// look alike and do not count: a VPN that refuses packets, and a neighbor that does not answer.
func (n *Network) DeniesLocalNetwork(ctx context.Context, to Destination, addr string) bool {
	if !n.AsksForLocalNetwork(ctx) || !host.UnreachableAtOnce(ctx, n.host, addr) {
		return false
	}
	view, err := n.Route(ctx, to)
	return err == nil && view.RouteErr == nil && !view.NoNeighbor && !view.Route.Gateway.IsValid() && !n.VPN(ctx, view).Connected
}

// bundle matches the application that contains a program of macOS.
var bundle = regexp.MustCompile(`/([^/]+)\.app/`)

// App returns the application whose permissions apply to this program: the outermost one that
// started it, such as "Terminal"; "" if there is none.
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
