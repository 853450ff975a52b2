package hosttest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// DialContext implements host.Host. An open port closes the connection at once; use Dial for one
// that answers.
func (c *Computer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.Dial != nil {
		if conn, err := c.Dial(ctx, network, addr); conn != nil || err != nil {
			return conn, err
		}
	}
	ip, _, _ := net.SplitHostPort(addr)
	for _, candidate := range []string{addr, net.JoinHostPort(ip, "*")} {
		for _, kind := range []string{"open", "silent", "refused", "down", "unreachable"} {
			for _, f := range c.facts(kind) {
				if f[0] != candidate {
					continue
				}
				switch kind {
				case "down":
					return nil, failed(network, syscall.EHOSTDOWN)
				case "unreachable":
					return nil, failed(network, syscall.EHOSTUNREACH)
				case "open":
					here, there := net.Pipe()
					there.Close()
					return here, nil
				case "silent":
					<-ctx.Done()
					return nil, &net.OpError{Op: "dial", Net: network, Err: context.Cause(ctx)}
				}
				return nil, failed(network, syscall.ECONNREFUSED)
			}
		}
	}
	return nil, failed(network, syscall.ECONNREFUSED)
}

func failed(network string, why syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", why)}
}

// PortUse implements host.Laptop.
func (c *Computer) PortUse(_ context.Context, port int) (host.PortState, error) {
	for _, use := range []host.PortState{host.PortTaken, host.PortPrivileged} {
		for _, f := range c.facts(string(use)) {
			if f[0] == strconv.Itoa(port) {
				return use, nil
			}
		}
	}
	return host.PortFree, nil
}

// Links implements host.Laptop.
func (c *Computer) Links(context.Context) (links []host.Link, err error) {
	for _, f := range c.facts("link") {
		l, err := parseLink(f)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

// RouteTo implements host.Laptop; on macOS only a command can tell, as in life.
func (c *Computer) RouteTo(_ context.Context, ip netip.Addr) (host.Route, error) {
	if c.OS() != host.Linux {
		return host.Route{}, fmt.Errorf("asking for the route to %s: %w", ip, syscall.ENOTSUP)
	}
	for _, f := range c.facts("route") {
		if to, r, err := parseRoute(f); err == nil && to == ip {
			return r, nil
		}
	}
	return host.Route{}, fmt.Errorf("asking for the route to %s: %w", ip, syscall.ENETUNREACH)
}

// Processes implements host.Laptop.
func (c *Computer) Processes(context.Context) (all []host.Process, err error) {
	for _, kind := range []string{"process", "foreign"} {
		for _, f := range c.facts(kind) {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				return nil, err
			}
			all = append(all, host.Process{PID: pid, Name: f[1], Args: strings.Join(f[2:], " "), Foreign: kind == "foreign"})
		}
	}
	return all, nil
}

// Ancestors implements host.Laptop.
func (c *Computer) Ancestors(context.Context) (names []string, err error) {
	for _, f := range c.facts("ancestor") {
		names = append(names, f[0])
	}
	return names, nil
}
