//go:build !linux

package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Links implements Laptop with the system's own interface list. Kind is unknown here.
func (l *Local) Links(context.Context) ([]Link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	links := make([]Link, 0, len(all))
	for _, a := range all {
		link := Link{Name: a.Name, Up: a.Flags&net.FlagUp != 0}
		addrs, err := a.Addrs()
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of %s: %w", a.Name, err)
		}
		for _, addr := range addrs {
			if p, err := netip.ParsePrefix(addr.String()); err == nil && p.Addr().Is4() {
				link.Addrs = append(link.Addrs, p)
			}
		}
		links = append(links, link)
	}
	return links, nil
}

// RouteTo implements Laptop: only `route -n get` knows.
func (l *Local) RouteTo(context.Context, netip.Addr) (Route, error) {
	return Route{}, errors.ErrUnsupported
}

// Ancestors implements Laptop with ps.
func (l *Local) Ancestors(ctx context.Context) ([]string, error) {
	var names []string
	for pid := os.Getppid(); pid > 1; {
		out, err := l.Run(ctx, Cmd{Argv: []string{"ps", "-o", "ppid=,comm=", "-p", strconv.Itoa(pid)}})
		if err != nil {
			return names, fmt.Errorf("asking who the parent is: %w", err)
		}
		parent, comm, ok := strings.Cut(strings.TrimSpace(string(out.Stdout)), " ")
		n, err := strconv.Atoi(parent)
		if !ok || err != nil {
			return names, fmt.Errorf("asking who the parent is: ps printed %q", out.Stdout)
		}
		names = append(names, strings.TrimSpace(comm))
		pid = n
	}
	return names, nil
}

// Processes implements Laptop with ps, which is in POSIX.
func (l *Local) Processes(ctx context.Context) ([]Process, error) {
	out, err := l.Run(ctx, Cmd{Argv: []string{"ps", "-axo", "pid=,uid=,comm="}})
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var procs []Process
	for s := bufio.NewScanner(bytes.NewReader(out.Stdout)); s.Scan(); {
		pid, rest, _ := strings.Cut(strings.TrimSpace(s.Text()), " ")
		uid, comm, ok := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.Atoi(pid)
		if ok && err == nil {
			// ps puts the name in parentheses where it may not read the arguments
			// (getproclline in print.c of Apple's adv_cmds).
			comm = strings.Trim(strings.TrimSpace(comm), "()")
			procs = append(procs, Process{PID: n, Name: filepath.Base(comm), Args: comm, Foreign: uid != strconv.Itoa(os.Getuid())})
		}
	}
	return procs, nil
}
