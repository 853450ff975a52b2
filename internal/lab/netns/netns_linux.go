// Package netns makes named network namespaces and works inside them.
package netns

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is where ip(8) keeps its named namespaces.
const Dir = "/run/netns"

// NS is the name of a network namespace as `ip netns` lists it.
type NS string

// Path is the file that keeps the namespace alive.
func (n NS) Path() string { return filepath.Join(Dir, string(n)) }

// Add makes the namespace, with its loopback up.
func (n NS) Add(ctx context.Context) error {
	if err := run(ctx, "", "ip", "netns", "add", string(n)); err != nil {
		return err
	}
	return n.IP(ctx, "link set lo up")
}

// Delete removes the name; one that is not there is no error. The namespace
// itself ends with its last process.
func (n NS) Delete(ctx context.Context) error {
	if !n.Exists() {
		return nil
	}
	return run(ctx, "", "ip", "netns", "delete", string(n))
}

// Exists reports whether the name is taken.
func (n NS) Exists() bool {
	_, err := os.Stat(n.Path())
	return err == nil
}

// IP runs lines of `ip` commands ("addr add 192.0.2.1/24 dev eth0") inside, in
// one process; the first that fails ends it.
func (n NS) IP(ctx context.Context, lines ...string) error {
	return run(ctx, strings.Join(lines, "\n")+"\n", "ip", "-n", string(n), "-batch", "-")
}

// Output is what a command that is run inside prints.
func (n NS) Output(ctx context.Context, argv ...string) (string, error) {
	out, err := n.Command(ctx, argv...).Output()
	if err != nil {
		return "", fmt.Errorf("%s in %s: %w", strings.Join(argv, " "), n, err)
	}
	return string(out), nil
}

// Command is a command that will run inside. `ip netns exec` would also mount
// things over /sys, and hide mounts and namespaces made inside; nsenter only
// changes the network.
func (n NS) Command(ctx context.Context, argv ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + n.Path(), "--"}, argv...)...)
}

// Veth joins two namespaces by a pair of interfaces.
func Veth(ctx context.Context, a NS, aName string, b NS, bName string) error {
	return run(ctx, "", "ip", "link", "add", aName, "netns", string(a), "type", "veth", "peer", "name", bName, "netns", string(b))
}

// Do runs f on a thread that is inside; the sockets that f itself opens stay
// there. f must not start goroutines that need to be inside.
func (n NS) Do(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	there, err := os.Open(n.Path())
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering network namespace: %w", err)
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering network namespace %s: %w", n, err)
	}
	ferr := f()
	// A thread that cannot come home stays locked, and ends with its goroutine.
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leaving network namespace %s: %w", n, err)
	}
	runtime.UnlockOSThread()
	return ferr
}

// Dial connects from inside. addr is an IP address and a port, so that the
// socket is opened on this very thread.
func (n NS) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(addr); err != nil || net.ParseIP(host) == nil {
		return nil, fmt.Errorf("dialling %s in %s: not an IP address and a port", addr, n)
	}
	var conn net.Conn
	err := n.Do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		return err
	})
	return conn, err
}

func run(ctx context.Context, stdin string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(append(out, stdin...)))
	}
	return nil
}
