package host

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
)

// Links implements Laptop with netlink.
func (l *Local) Links(context.Context) ([]Link, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	links := make([]Link, 0, len(all))
	for _, a := range all {
		attrs := a.Attrs()
		link := Link{Name: attrs.Name, Kind: kind(a), Up: attrs.Flags&net.FlagUp != 0}
		addrs, err := netlink.AddrList(a, netlink.FAMILY_V4)
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of %s: %w", attrs.Name, err)
		}
		for _, addr := range addrs {
			if p, ok := prefix(addr.IPNet); ok {
				link.Addrs = append(link.Addrs, p)
			}
		}
		links = append(links, link)
	}
	return links, nil
}

// kind returns a link's kind as `ip -d link` prints it: netlink's Type is "tuntap" for both tun and
// tap.
func kind(l netlink.Link) string {
	if t, ok := l.(*netlink.Tuntap); ok {
		return t.Mode.String()
	}
	return l.Type()
}

// RouteTo implements Laptop with netlink, as `ip route get fibmatch` does.
func (l *Local) RouteTo(_ context.Context, ip netip.Addr) (Route, error) {
	routes, err := netlink.RouteGetWithOptions(ip.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
	if err != nil {
		return Route{}, fmt.Errorf("asking for the route to %s: %w", ip, err)
	}
	if len(routes) == 0 {
		return Route{}, fmt.Errorf("asking for the route to %s: %w", ip, syscall.ENETUNREACH)
	}
	r := routes[0]
	if len(r.MultiPath) > 0 { // a route through several links has no link of its own
		r.LinkIndex, r.Gw = r.MultiPath[0].LinkIndex, r.MultiPath[0].Gw
	}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return Route{}, fmt.Errorf("naming the interface of the route to %s: %w", ip, err)
	}
	out := Route{Link: link.Attrs().Name, Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	if p, ok := prefix(r.Dst); ok {
		out.Dst = p
	}
	if gw, ok := netip.AddrFromSlice(r.Gw); ok {
		out.Gateway = gw.Unmap()
	}
	return out, nil
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), true
}

// Ancestors implements Laptop with /proc.
func (l *Local) Ancestors(context.Context) ([]string, error) {
	var names []string
	for pid := os.Getppid(); pid > 1; {
		stat, err := readProc(pid, "stat")
		if err != nil {
			return names, err
		}
		// "pid (comm) state ppid …": comm may contain anything, also parentheses (proc(5)).
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if open < 0 || end < open {
			return names, fmt.Errorf("/proc/%d/stat has no name", pid)
		}
		fields := bytes.Fields(stat[end+1:])
		if len(fields) < 2 {
			return names, fmt.Errorf("/proc/%d/stat has no parent", pid)
		}
		parent, err := strconv.Atoi(string(fields[1]))
		if err != nil {
			return names, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		name := string(stat[open+1 : end])
		// A script's comm is its own name; its first argument is the interpreter (execve(2)).
		if args, err := readProc(pid, "cmdline"); err == nil {
			if arg, _, _ := bytes.Cut(args, []byte{0}); len(arg) > 0 {
				name = string(arg)
			}
		}
		names = append(names, name)
		pid = parent
	}
	return names, nil
}

// readProc reads the beginning of a process's file. It bypasses os.File and its poller, because a
// shell prompt may be waiting.
func readProc(pid int, file string) ([]byte, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/" + file
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	line := make([]byte, 1024) // 52 numbers and a name of at most 64 bytes
	n, err := syscall.Read(fd, line)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return line[:n], nil
}

// Processes implements Laptop with /proc. A process that ends meanwhile, or whose command line is
// not readable, is listed with what is known.
func (l *Local) Processes(context.Context) ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var procs []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		comm, err := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
		if err != nil {
			continue
		}
		p := Process{PID: pid, Name: string(bytes.TrimSpace(comm))}
		if info, err := e.Info(); err == nil {
			if owner, ok := info.Sys().(*syscall.Stat_t); ok {
				p.Foreign = int(owner.Uid) != os.Getuid()
			}
		}
		if args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && len(args) > 0 {
			// comm is cut at 15 bytes; argv[0] has the whole name.
			argv := bytes.Split(bytes.TrimRight(args, "\x00"), []byte{0})
			if base := filepath.Base(string(argv[0])); len(base) > len(p.Name) && base[:len(p.Name)] == p.Name {
				p.Name = base
			}
			p.Args = string(bytes.Join(argv, []byte{' '}))
		}
		procs = append(procs, p)
	}
	return procs, nil
}
