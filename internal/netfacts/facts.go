// Package netfacts asks a docker host, with one script, for everything that affects packets to a
// container: packet filters, interfaces, routes, docker's networks and containers.
package netfacts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts/writer"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

//go:embed facts.sh
var factsScript string

// DefaultSocket is the path of dockerd's socket unless its configuration names another.
const DefaultSocket = "/var/run/docker.sock"

// Facts are everything on a docker host that affects packets to a container.
type Facts struct {
	Tables []*netfilter.Table
	Sets   map[string]*packet.Set // by name
	// Unread describes the rulesets that exist but could not be read, one text each.
	Unread []string

	Links     []Link
	Routes    []Route
	Rules     []PolicyRule
	Neighbors []Neighbor
	Sysctl    map[string]string // "net.ipv4.ip_forward"
	Listeners []Listener

	Docker     bool   // dockerd answered
	DockerSaid string // what docker printed if dockerd did not answer
	Networks   []Network
	Containers []Container

	Writers writer.Files
}

// Link is an interface of the docker host.
type Link struct {
	Index     int
	Name      string
	MAC       string
	Master    string // the bridge whose port it is; "" if none
	Addresses []netip.Prefix
}

// Neighbor is an entry of the neighbor table.
type Neighbor struct {
	Addr  netip.Addr
	Link  string
	State string // REACHABLE, STALE, FAILED, INCOMPLETE, PERMANENT …
}

// Listener is a socket that listens for connections or datagrams.
type Listener struct {
	UDP  bool
	Addr netip.Addr
	Port int
}

// ErrNotRoot means that the docker host was asked by a user who is not root.
var ErrNotRoot = errors.New("only root can read packet filters")

// ErrRootless means that the docker host's dockerd does not run as root.
var ErrRootless = errors.New("the docker host's dockerd is rootless: its containers' networks and packet filters are in a namespace of that user, which is not inspected; for the docker host a published port is an ordinary program's port")

// Collect asks a docker host for its Facts as root, using sudo if the login user is not root.
// socket is the path of dockerd's socket.
func Collect(ctx context.Context, h host.Host, socket string) (*Facts, error) {
	return collect(ctx, h, dockerhost.RootScript(factsScript, [2]string{"SOCKET", socket}))
}

// CollectIfRoot is Collect without sudo: it returns ErrNotRoot if the login user is not root.
func CollectIfRoot(ctx context.Context, h host.Host, socket string) (*Facts, error) {
	return collect(ctx, h, dockerhost.Script(factsScript, [2]string{"SOCKET", socket}))
}

func collect(ctx context.Context, h host.Host, script host.Cmd) (*Facts, error) {
	out, err := h.Run(ctx, script)
	if err != nil {
		return nil, err
	}
	answer, err := dockerhost.ParseAnswer(out.Stdout, "packet-filters")
	if err != nil {
		return nil, fmt.Errorf("asking the docker host for its packet filters: %w", err)
	}
	if answer.Has("not-root") {
		return nil, ErrNotRoot
	}
	if answer.Has("rootless") {
		return nil, ErrRootless
	}
	return parse(answer)
}

func parse(a dockerhost.Answer) (*Facts, error) {
	f := &Facts{Sysctl: map[string]string{}}
	if err := f.rulesets(a); err != nil {
		return nil, err
	}
	f.Links = parseLinks(a.Lines("links"), a.Lines("addresses"))
	f.Routes = append(parseRoutes(a.Lines("routes4"), packet.IPv4), parseRoutes(a.Lines("routes6"), packet.IPv6)...)
	f.Rules = append(parsePolicyRules(a.Lines("rules4"), packet.IPv4), parsePolicyRules(a.Lines("rules6"), packet.IPv6)...)
	f.Neighbors = parseNeighbors(append(a.Lines("neighbors4"), a.Lines("neighbors6")...))
	for _, line := range append(a.Lines("sysctl"), a.Lines("announce")...) {
		if path, value, ok := strings.Cut(line, ":"); ok {
			name := strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")
			f.Sysctl[name] = value
		}
	}
	for _, l := range parseListeners(a.Lines("listeners")) {
		f.Listeners = append(f.Listeners, l...)
	}
	f.Docker, f.DockerSaid = a.Has("docker"), a.Text("docker-said")
	var err error
	if f.Networks, err = parseNetworks(a.Lines("networks")); err != nil {
		return nil, err
	}
	if f.Containers, err = parseContainers(a.Lines("containers"), f.Networks); err != nil {
		return nil, err
	}
	inside, ports := parseListeners(a.Lines("inside")), portsOf(a.Lines("ports"))
	for i := range f.Containers {
		c := &f.Containers[i]
		c.Listeners = inside[c.PID]
		for _, index := range ports[c.PID] {
			c.Ports = append(c.Ports, f.linkName(index))
		}
	}
	f.Writers = writer.New(a.Lines("units"), a.Lines("enabled"))
	for _, name := range a.Names() {
		if path, ok := strings.CutPrefix(name, "file "); ok {
			f.Writers.Add(path, a.Lines(name))
		}
	}
	return f, nil
}
