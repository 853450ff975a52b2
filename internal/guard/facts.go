package guard

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

//go:embed probe.sh
var probeScript string

// Facts are everything on a docker host that guard depends on.
type Facts struct {
	*netfacts.Facts
	Rules  hostrules.State
	Socket string // dockerd's
	Root   string // DockerRootDir

	Runs bool // dockerd
	// listens is on what dockerd itself listens, not on loopback.
	listens []Port

	// Group is the cgroup of docker.service below /sys/fs/cgroup, "" where there is none
	// that nft could match; Level counts from the root of the hierarchy.
	Group string
	Level int
	// Matches is "yes" if the kernel was seen to match a cgroup, else the reason why not; ""
	// if it was not tried.
	Matches string

	StartPre string // what docker.service runs before dockerd
	Reload   bool   // systemd has not read its unit files since they were changed
	Path     string // the state of the path unit
	Table    string // nft's table of ours, as it is
	Loaded   string // as apply has loaded it
	Window   string // how many milliseconds the port that was published last was open, if it is known
	UFW      bool
	Firewall bool // firewalld
}

// Collect asks a docker host, in commands that root runs there. try also finds out whether
// its kernel matches cgroups.
func Collect(ctx context.Context, h host.Host, socket string, try bool) (*Facts, error) {
	filters, err := netfacts.Collect(ctx, h, socket)
	if err != nil {
		return nil, err
	}
	return With(ctx, h, filters, socket, try)
}

// With asks for what is not among the packet filters.
func With(ctx context.Context, h host.Host, filters *netfacts.Facts, socket string, try bool) (*Facts, error) {
	f := &Facts{Facts: filters, Socket: socket}
	var err error
	if f.Rules, err = hostrules.Read(ctx, h, Name); err != nil {
		return nil, err
	}
	tried := ""
	if try {
		tried = "yes"
	}
	out, err := h.Run(ctx, dockerhost.RootScript(probeScript, [2]string{"SOCKET", socket}, [2]string{"TRY", tried}))
	if err != nil {
		return nil, err
	}
	a, err := dockerhost.ParseAnswer(out.Stdout, "guard")
	if err != nil {
		return nil, fmt.Errorf("asking the docker host about guard: %w", err)
	}
	return f, f.parse(a)
}

func (f *Facts) parse(a dockerhost.Answer) error {
	f.Runs, f.Matches, f.StartPre, f.Path = a.Has("runs"), a.Text("matches"), a.Text("start-pre"), a.Text("path")
	f.Reload, f.UFW, f.Firewall = a.Text("reload") == "yes", a.Has("ufw"), a.Has("firewalld")
	f.Table, f.Loaded = a.Text("table"), a.Text("loaded")
	f.Window = a.Text("window")
	if f.Root = a.Text("root"); f.Root == "" {
		f.Root = "/var/lib/docker"
	}
	if level, path, ok := strings.Cut(a.Text("cgroup"), " "); ok {
		var err error
		if f.Level, err = strconv.Atoi(level); err != nil {
			return fmt.Errorf("the cgroup of docker.service: level %q", level)
		}
		f.Group = path
	}
	if strings.ContainsAny(f.Group+f.Root+f.Socket, "\"\n\\% ") {
		return fmt.Errorf("the docker host has a path that no rule can hold: %q, %q, %q", f.Group, f.Root, f.Socket)
	}
	for _, line := range a.Lines("own") {
		p, ok, err := parseOwn(line)
		if err != nil {
			return err
		}
		if ok {
			f.listens = append(f.listens, p)
		}
	}
	return nil
}

// parseOwn reads "tcp ADDRESS:PORT" as the kernel writes it. ok is false on loopback.
func parseOwn(line string) (p Port, ok bool, err error) {
	protocol, at, _ := strings.Cut(line, " ")
	address, port, _ := strings.Cut(at, ":")
	raw, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err = errors.Join(err, portErr); err != nil || len(raw)%4 != 0 {
		return p, false, fmt.Errorf("a socket of dockerd: %q", line)
	}
	for i := 0; i < len(raw); i += 4 { // words of the machine's byte order
		slices.Reverse(raw[i : i+4])
	}
	addr, _ := netip.AddrFromSlice(raw)
	return Port{Port: int(number), UDP: protocol == "udp"}, number > 0 && !addr.Unmap().IsLoopback(), nil
}

// Own are the ports on which dockerd itself listens. They are not published, but docker's
// cgroup has them.
func (f *Facts) Own() []Port {
	var all []Port
	for _, p := range f.listens {
		// Newer versions of dockerd open published ports themselves.
		if !slices.Contains(all, p) && f.publisher(p) == "" {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Port) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// sessionPort is the docker host's port of the SSH session that asked, if a container
// publishes it: a session with the docker host's own sshd is not docker's matter.
func (f *Facts) sessionPort() (Port, bool) {
	fields := strings.Fields(f.Rules.Session)
	if len(fields) != 4 {
		return Port{}, false
	}
	n, err := strconv.Atoi(fields[3])
	at, addrErr := netip.ParseAddr(fields[2])
	if err != nil || addrErr != nil {
		return Port{}, false
	}
	for _, c := range f.Containers {
		for _, b := range c.Published {
			if !b.UDP && b.HostPort == n && (b.HostIP.IsUnspecified() || b.HostIP == at.Unmap()) {
				return Port{Port: n}, true
			}
		}
	}
	return Port{}, false
}

// publisher is the container that publishes a port, or "".
func (f *Facts) publisher(p Port) string {
	for _, c := range f.Containers {
		for _, b := range c.Published {
			if c.PID != 0 && b.HostPort == p.Port && b.UDP == p.UDP {
				return c.Name
			}
		}
	}
	return ""
}

// UsesCgroup reports whether the way is ByCgroup. Where the kernel was not tried, what is
// installed decides.
func (f *Facts) UsesCgroup() bool {
	if f.Matches == "" && f.Rules.Installed != nil {
		return f.Rules.Installed.Files["table.nft"] != ""
	}
	return f.Group != "" && f.Matches == "yes"
}

// CustomBridges are the bridges of docker's networks that docker has not named.
func (f *Facts) CustomBridges() []string {
	var names []string
	for _, n := range f.Networks {
		if n.Bridge != "" && !strings.HasPrefix(n.Bridge, "docker") && !strings.HasPrefix(n.Bridge, "br-") && interfaceName.MatchString(n.Bridge) {
			names = append(names, n.Bridge)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// DefaultInterfaces are those of the default routes. `unreachable default dev lo`, which the kernel
// makes for IPv6, is none.
func (f *Facts) DefaultInterfaces() []string {
	var names []string
	for _, r := range f.Routes {
		if r.Dst.Bits() == 0 && r.Link != "" && r.Link != "lo" && r.Type == "unicast" && !slices.Contains(names, r.Link) {
			names = append(names, r.Link)
		}
	}
	return names
}

// Traces reports whether packet filters or units have anything of guard.
func Traces(filters *netfacts.Facts) bool {
	f := Facts{Facts: filters}
	return f.Leftovers() || filters.Writers.Runs("/etc/docker-vpn-helper/"+Name+"/apply") ||
		slices.ContainsFunc(filters.Tables, func(t *netfilter.Table) bool { return t.Name == table })
}

// table is nft's table of ours.
const table = "dvh_guard"

// Leftovers reports whether rules of guard are there although it is off.
func (f *Facts) Leftovers() bool {
	for _, t := range f.Tables {
		if t.Name == "mangle" && (t.Chain("DOCKER-PUB") != nil || t.Chain("DOCKER-PUB-IN") != nil) {
			return true
		}
	}
	return f.Table != ""
}
