package guard

import (
	"context"
	_ "embed"
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
	Rules      hostrules.State
	Socket     string // the path of dockerd's socket
	DockerRoot string // dockerd's data directory

	DockerdRuns bool
	// listens are the ports on which dockerd itself listens, except on loopback addresses.
	listens []Port

	// Cgroup is the path of docker.service's cgroup below /sys/fs/cgroup; "" if there is none
	// that nft could match. CgroupLevel is its depth: 1 is just below the root of the hierarchy.
	Cgroup      string
	CgroupLevel int
	// CgroupMatch is "yes" if the kernel passed the test for matching cgroups, else why it
	// failed; "" if it was not tested.
	CgroupMatch string

	StartPre      string // what docker.service runs before dockerd
	ReloadPending bool   // docker.service's unit files have changed since systemd read them
	PathUnit      string // the path unit's state, such as "active"
	Table         string // our nft table as it is now
	LoadedTable   string // our nft table as apply left it
	Window        string // for how many ms the port that was published last was open; "" if unknown
	UFW           bool   // ufw is active
	Firewalld     bool   // firewalld is running
}

// CgroupTest is whether to test if the docker host's kernel can match cgroups. Only a change of
// guard needs to know.
type CgroupTest bool

// The choices.
const (
	TestCgroup CgroupTest = true
	SkipCgroup CgroupTest = false
)

// Collect asks a docker host for all facts, as root there. socket is the path of dockerd's.
func Collect(ctx context.Context, h host.Host, socket string, test CgroupTest) (*Facts, error) {
	filters, err := netfacts.Collect(ctx, h, socket)
	if err != nil {
		return nil, err
	}
	return With(ctx, h, filters, socket, test)
}

// With is Collect for a caller that has asked for the packet filters already.
func With(ctx context.Context, h host.Host, filters *netfacts.Facts, socket string, test CgroupTest) (*Facts, error) {
	f := &Facts{Facts: filters, Socket: socket}
	var err error
	if f.Rules, err = hostrules.Read(ctx, h, Name); err != nil {
		return nil, err
	}
	try := ""
	if test == TestCgroup {
		try = "yes"
	}
	out, err := h.Run(ctx, dockerhost.RootScript(probeScript, [2]string{"SOCKET", socket}, [2]string{"TRY", try}))
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
	f.DockerdRuns, f.CgroupMatch, f.StartPre, f.PathUnit = a.Has("runs"), a.Text("matches"), a.Text("start-pre"), a.Text("path")
	f.ReloadPending, f.UFW, f.Firewalld = a.Text("reload") == "yes", a.Has("ufw"), a.Has("firewalld")
	f.Table, f.LoadedTable = a.Text("table"), a.Text("loaded")
	f.Window = a.Text("window")
	if f.DockerRoot = a.Text("root"); f.DockerRoot == "" {
		f.DockerRoot = "/var/lib/docker"
	}
	if level, path, ok := strings.Cut(a.Text("cgroup"), " "); ok {
		var err error
		if f.CgroupLevel, err = strconv.Atoi(level); err != nil {
			return fmt.Errorf("the cgroup of docker.service: level %q", level)
		}
		f.Cgroup = path
	}
	if strings.ContainsAny(f.Cgroup+f.DockerRoot+f.Socket, "\"\n\\% ") {
		return fmt.Errorf("rules and units cannot contain a path of this docker host: %q, %q, %q", f.Cgroup, f.DockerRoot, f.Socket)
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

// parseOwn reads "tcp ADDRESS:PORT" in the hex notation of /proc/net. ok is false for a loopback address.
func parseOwn(line string) (p Port, ok bool, err error) {
	protocol, at, _ := strings.Cut(line, " ")
	address, port, _ := strings.Cut(at, ":")
	addr, ok := netfacts.KernelAddr(address)
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil || !ok {
		return p, false, fmt.Errorf("a socket of dockerd: %q", line)
	}
	return Port{Port: int(number), UDP: protocol == "udp"}, number > 0 && !addr.Unmap().IsLoopback(), nil
}

// DockerdPorts returns the ports on which dockerd itself listens, sorted. They are not published
// ports, but their sockets are in docker's cgroup.
func (f *Facts) DockerdPorts() []Port {
	var all []Port
	for _, p := range f.listens {
		// Newer versions of dockerd listen on published ports themselves.
		if !slices.Contains(all, p) && f.publisher(p) == "" {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Port) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// sessionPort returns the docker host's port of the SSH session in which it was asked, if a
// container publishes it. guard does not touch the port of the docker host's own sshd.
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

// publisher returns the name of the container that publishes a port, or "".
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

// UsesCgroup reports whether the method is ByCgroup. If the kernel was not tested, the installed
// files decide.
func (f *Facts) UsesCgroup() bool {
	if f.CgroupMatch == "" && f.Rules.Installed != nil {
		return f.Rules.Installed.Files["table.nft"] != ""
	}
	return f.Cgroup != "" && f.CgroupMatch == "yes"
}

// CustomBridges returns the bridges of docker networks whose names were chosen by the user.
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

// DefaultInterfaces returns the interfaces of the default routes. The kernel's own IPv6 route
// "unreachable default dev lo" does not count.
func (f *Facts) DefaultInterfaces() []string {
	var names []string
	for _, r := range f.Routes {
		if r.Dst.Bits() == 0 && r.Link != "" && r.Link != "lo" && r.Type == "unicast" && !slices.Contains(names, r.Link) {
			names = append(names, r.Link)
		}
	}
	return names
}

// Traces reports whether guard has left anything in the packet filters or units.
func Traces(filters *netfacts.Facts) bool {
	f := Facts{Facts: filters}
	return f.Leftovers() || filters.Writers.Runs("/etc/docker-vpn-helper/"+Name+"/apply") ||
		slices.ContainsFunc(filters.Tables, func(t *netfilter.Table) bool { return t.Name == table })
}

// table is the name of our nft table.
const table = "dvh_guard"

// Leftovers reports whether any of guard's rules are loaded, even if guard is not installed.
func (f *Facts) Leftovers() bool {
	for _, t := range f.Tables {
		if t.Name == "mangle" && (t.Chain("DOCKER-PUB") != nil || t.Chain("DOCKER-PUB-IN") != nil) {
			return true
		}
	}
	return f.Table != ""
}
