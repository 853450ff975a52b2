// Package firewall finds out whether a packet gets to a container of a docker host, and
// which rule drops it otherwise. One script asks the docker host for its packet filters, its
// networks and its containers; the rest is computed from the answer.
package firewall

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall/writer"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/nft"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

//go:embed facts.sh
var factsScript string

// DefaultSocket is where dockerd listens unless its configuration names another socket.
const DefaultSocket = "/var/run/docker.sock"

// Facts are everything on a docker host that decides about a packet to a container.
type Facts struct {
	Tables []*netfilter.Table
	Sets   map[string]*netfilter.Set
	// Unread are the rulesets that are there and could not be read, and why.
	Unread []string

	Links     []Link
	Routes    []Route
	Rules     []PolicyRule
	Neighbors []Neighbor
	Sysctl    map[string]string // "net.ipv4.ip_forward"
	Listeners []Listener

	Docker     bool   // dockerd answered
	DockerSaid string // what docker printed instead
	Networks   []Network
	Containers []Container

	Writers writer.Files
}

// Link is an interface of the docker host.
type Link struct {
	Index     int
	Name      string
	MAC       string
	Master    string // the bridge that it is a port of
	Addresses []netip.Prefix
}

// Neighbor is an entry of the neighbor table.
type Neighbor struct {
	Addr  netip.Addr
	Link  string
	State string // REACHABLE, STALE, FAILED, INCOMPLETE, PERMANENT …
}

// Listener is a socket that waits for connections or datagrams.
type Listener struct {
	UDP  bool
	Addr netip.Addr
	Port int
}

// ErrNotRoot is a login that is not root's.
var ErrNotRoot = errors.New("packet filters can be read by root only")

// Collect asks a docker host, in one command that root runs there. socket is dockerd's.
func Collect(ctx context.Context, h host.Host, socket string) (*Facts, error) {
	return collect(ctx, h, dockerhost.RootScript(factsScript, [2]string{"SOCKET", socket}))
}

// CollectIfRoot asks without sudo; ErrNotRoot where that is needed.
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
	return parseFacts(answer)
}

func parseFacts(a dockerhost.Answer) (*Facts, error) {
	f := &Facts{Sysctl: map[string]string{}}
	if err := f.rulesets(a); err != nil {
		return nil, err
	}
	f.Links = parseLinks(a.Lines("links"), a.Lines("addresses"))
	f.Routes = append(parseRoutes(a.Lines("routes4"), netfilter.IPv4), parseRoutes(a.Lines("routes6"), netfilter.IPv6)...)
	f.Rules = append(parsePolicyRules(a.Lines("rules4"), netfilter.IPv4), parsePolicyRules(a.Lines("rules6"), netfilter.IPv6)...)
	f.Neighbors = parseNeighbors(append(a.Lines("neighbors4"), a.Lines("neighbors6")...))
	for _, line := range a.Lines("sysctl") {
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

// rulesets reads all packet filters. Tables of iptables' and ebtables' own are in nft's list
// as well, where their matches cannot be read; these are left out there.
func (f *Facts) rulesets(a dockerhost.Answer) error {
	f.legacyUnread(a)
	own := map[string]bool{}
	for _, tool := range []netfilter.Tool{netfilter.IPTables, netfilter.IP6Tables, netfilter.EBTables} {
		for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
			if a.Text("failed "+string(tool)+" "+string(backend)) != "" {
				f.Unread = append(f.Unread, fmt.Sprintf("%s-save of the %s backend failed", tool, backend))
			}
			tables, err := saved.Parse(tool, backend, []byte(a.Text("rules "+string(tool)+" "+string(backend))))
			if err != nil {
				return err
			}
			f.Tables = append(f.Tables, tables...)
			if backend == netfilter.NFTables {
				for _, t := range tables {
					own[t.Family+" "+t.Name] = true
				}
			}
		}
	}
	var err error
	if f.Sets, err = saved.ParseSets(a.Lines("ipset")); err != nil {
		return err
	}
	text := a.Text("nft")
	if text == "" {
		for _, line := range a.Lines("nft-tables") {
			if name := strings.TrimPrefix(line, "table "); name != "" && !own[name] {
				f.Unread = append(f.Unread, "nft there cannot print table "+name+" as JSON")
			}
		}
		return nil
	}
	tables, err := nft.Parse([]byte(text), func(family, name string) bool { return own[family+" "+name] })
	if err != nil {
		return err
	}
	nft.AddDevices(tables, a.Lines("nft-chains"))
	f.Tables = append(f.Tables, tables...)
	return nil
}

// legacyUnread notes rules of the legacy backend that the kernel has and no program there prints.
func (f *Facts) legacyUnread(a dockerhost.Answer) {
	for _, line := range a.Lines("legacy-tables") { // "/proc/net/ip_tables_names:filter"
		path, table, _ := strings.Cut(line, ":")
		tool := map[string]string{"/proc/net/ip_tables_names": "iptables", "/proc/net/ip6_tables_names": "ip6tables", "/proc/net/arp_tables_names": "arptables"}[path]
		if tool == "" || a.Has("rules "+tool+" legacy") {
			continue
		}
		f.Unread = append(f.Unread, fmt.Sprintf("%s-legacy %s: nothing there prints its rules", tool, table))
	}
	for _, line := range a.Lines("rules arptables legacy") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Chain ") || strings.Contains(line, "policy DROP") {
			f.Unread = append(f.Unread, "arptables-legacy: "+line)
		}
	}
}

// Env is what rules may ask about the docker host.
func (f *Facts) Env(family netfilter.Family) *netfilter.Env {
	e := &netfilter.Env{Sets: f.Sets, BridgeFilter: f.bridgeFilter(family), RouteBack: f.routeBack}
	for _, l := range f.Links {
		e.Links = append(e.Links, netfilter.Link{Name: l.Name, Addrs: l.Addresses})
	}
	return e
}

// routeBack is the interface by which an answer to a packet would leave.
func (f *Facts) routeBack(p *netfilter.Packet) (link string, sure bool) {
	r, doubt := f.Way(p.Dst, p.Src, "")
	if r == nil || r.Type != "unicast" {
		return "", doubt == ""
	}
	return r.Link, doubt == ""
}

// bridgeFilter reports whether frames on bridges pass iptables, too.
func (f *Facts) bridgeFilter(family netfilter.Family) bool {
	name := "net.bridge.bridge-nf-call-iptables"
	if family == netfilter.IPv6 {
		name = "net.bridge.bridge-nf-call-ip6tables"
	}
	return f.Sysctl[name] == "1"
}

func (f *Facts) linkName(index int) string {
	for _, l := range f.Links {
		if l.Index == index {
			return l.Name
		}
	}
	return ""
}

// Link returns the interface of that name, or nil.
func (f *Facts) Link(name string) *Link {
	for i := range f.Links {
		if f.Links[i].Name == name {
			return &f.Links[i]
		}
	}
	return nil
}

// errNoDocker is a docker host whose dockerd did not answer.
var errNoDocker = errors.New("dockerd does not answer on the docker host")
