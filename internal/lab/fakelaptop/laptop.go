package fakelaptop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// laptop is a host.Laptop for a State, on the computer that runs the test.
type laptop struct {
	host.Laptop // for files, locks and loopback
	sudo        host.Sudo
	file        string
	bin         string
	vbox        string

	mu    sync.Mutex
	known *State // as read from the file that seen describes; never changed
	seen  os.FileInfo
}

// NewLaptop returns the laptop for the State that FAKELAPTOP_FILE names. It runs only programs in
// the directory of this process's own executable.
func NewLaptop(base host.Laptop, sudo host.Sudo) (host.Laptop, error) {
	file, err := File()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &laptop{Laptop: base, sudo: sudo, file: file, bin: filepath.Dir(exe), vbox: os.Getenv("FAKEVBOX_HOME")}, nil
}

// world returns the current State. It reads the file again only after a change: with a thousand
// machines, reading would dominate what is measured.
func (l *laptop) world() (*State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := os.Stat(l.file)
	if err != nil {
		return nil, err
	}
	if l.seen != nil && os.SameFile(l.seen, now) && l.seen.ModTime().Equal(now.ModTime()) {
		return l.known, nil
	}
	w, err := Load(l.file)
	if err == nil {
		l.known, l.seen = w, now
	}
	return w, err
}

// OS implements host.Laptop.
func (l *laptop) OS() string {
	w, err := l.world()
	if err != nil {
		return "unknown"
	}
	return w.OS
}

// Run implements host.Host with the replaced commands only. sudo is the replaced one, even if root
// runs the test.
func (l *laptop) Run(ctx context.Context, c host.Cmd) (host.Output, error) {
	w, err := l.world()
	if err != nil {
		return host.Output{}, err
	}
	if len(c.Argv) > 0 && filepath.Base(c.Argv[0]) == "vpn" && w.Cisco != "" {
		return host.Output{Stdout: []byte(w.Cisco)}, nil
	}
	path, err := l.LookPath(c.Argv[0])
	if err != nil && c.Through != nil { // any program of the user
		return l.Laptop.Run(ctx, c)
	}
	if err != nil {
		return host.Output{}, err
	}
	shown := c.Argv
	argv := append([]string{path}, c.Argv[1:]...)
	if c.Root && w.Sudo != "root" {
		sudo := filepath.Join(l.bin, "sudo")
		if l.sudo.Announce != nil {
			l.sudo.Announce(append([]string{"sudo"}, shown...))
		}
		if w.Sudo == "password" && !l.sudo.Terminal {
			return host.Output{}, &host.SudoError{Argv: append([]string{"sudo"}, shown...)}
		}
		argv = append([]string{sudo, "-n"}, argv...)
	}
	c.Argv, c.Root = argv, false
	out, err := l.Laptop.Run(ctx, c)
	var exit *host.CmdError
	if errors.As(err, &exit) {
		exit.Argv = shown
	}
	return out, err
}

// LookPath implements host.Laptop.
func (l *laptop) LookPath(name string, also ...string) (string, error) {
	w, err := l.world()
	if err != nil {
		return "", err
	}
	if filepath.Base(name) == "vpn" && filepath.IsAbs(name) {
		if w.Cisco != "" {
			return name, nil
		}
		return "", fmt.Errorf("looking for %s: %w", name, os.ErrNotExist)
	}
	path := filepath.Join(l.bin, filepath.Base(name))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for %s: %w", name, os.ErrNotExist)
	}
	return path, nil
}

// Links implements host.Laptop.
func (l *laptop) Links(context.Context) ([]host.Link, error) {
	w, err := l.world()
	if err != nil {
		return nil, err
	}
	var out []host.Link
	for _, l := range w.Links {
		kind := l.Kind
		if w.OS == host.Darwin {
			kind = "" // net.Interfaces does not know it
		}
		out = append(out, host.Link{Name: l.Name, Kind: kind, Up: !l.Down, Addrs: l.Addrs})
	}
	return out, nil
}

// RouteTo implements host.Laptop.
func (l *laptop) RouteTo(_ context.Context, ip netip.Addr) (host.Route, error) {
	w, err := l.world()
	if err != nil {
		return host.Route{}, err
	}
	if w.OS == host.Darwin {
		return host.Route{}, errors.ErrUnsupported
	}
	r, ok := w.lookup(ip)
	if !ok {
		return host.Route{}, syscall.ENETUNREACH
	}
	return host.Route{Dst: r.Dst, Link: r.Link, Gateway: r.Gateway}, nil
}

// PortUse implements host.Laptop. As on macOS and most Linux laptops, only root may use ports below
// 1024, whoever runs the test.
func (l *laptop) PortUse(ctx context.Context, port int) (host.PortState, error) {
	w, err := l.world()
	if err != nil {
		return "", err
	}
	use, err := l.Laptop.PortUse(ctx, port)
	switch root := w.Sudo == "root"; {
	case use == host.PortFree && port < 1024 && !root:
		use = host.PortPrivileged
	case use == host.PortPrivileged && root:
		use = host.PortFree
	}
	return use, err
}

// Processes implements host.Laptop with the processes of the VMs.
func (l *laptop) Processes(context.Context) ([]host.Process, error) {
	if l.vbox == "" {
		return nil, nil
	}
	var out []host.Process
	vb, err := fakevbox.Load(l.vbox)
	if err != nil {
		return nil, err
	}
	for _, vm := range vb.VMs {
		if vm.PID > 0 {
			out = append(out, host.Process{PID: vm.PID, Name: "VBoxHeadless", Args: "VBoxHeadless --comment " + vm.Name + " --startvm " + vm.UUID})
		}
	}
	return out, nil
}

// DialContext implements host.Host: loopback and Unix sockets are real; everything else follows the
// State's routes.
func (l *laptop) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	h, p, err := net.SplitHostPort(addr)
	ip, perr := netip.ParseAddr(h)
	if network == "unix" || err != nil || perr != nil && h == "localhost" || perr == nil && ip.IsLoopback() {
		return l.Laptop.DialContext(ctx, network, addr)
	}
	if perr != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: h, IsNotFound: true}}
	}
	w, err := l.world()
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		return nil, err
	}
	conn, err := w.dial(ctx, l.vbox, ip, port)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: &net.TCPAddr{IP: ip.AsSlice(), Port: port}, Err: err}
	}
	return conn, nil
}

// dial connects to an address other than loopback, over the State's routes.
func (w *State) dial(ctx context.Context, vbox string, ip netip.Addr, port int) (net.Conn, error) {
	r, ok := w.lookup(ip)
	if !ok {
		return nil, os.NewSyscallError("connect", syscall.ENETUNREACH)
	}
	link := w.link(r.Link)
	switch {
	case link == nil || link.Down || r.Dead:
	case link.To == Refuse:
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case link.To == VirtualBox:
		conn, err := fakevbox.DialHostOnly(ctx, vbox, ip.String(), port)
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) {
			err = os.NewSyscallError("connect", err)
		}
		return conn, err
	}
	<-ctx.Done() // no answer
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, os.ErrDeadlineExceeded
	}
	return nil, ctx.Err()
}

// Lock implements host.Laptop. Each State has its own state directory, but all share the ports of
// 127.0.0.1, so a process that chooses one must be alone among all, as on a laptop. To avoid a file
// for that, it locks the one directory that all processes see.
func (l *laptop) Lock(ctx context.Context, path string, waiting func()) (func(), error) {
	unlock, err := l.Laptop.Lock(ctx, path, waiting)
	if err != nil || filepath.Base(path) != "ports.lock" {
		return unlock, err
	}
	if w, err := l.world(); err == nil && w.OwnPorts {
		return unlock, nil
	}
	dir, err := os.Open("/")
	if err != nil {
		unlock()
		return nil, err
	}
	both := func() { _ = dir.Close(); unlock() }
	if err := await.Until(ctx, "the other worlds to choose their ports", func() (bool, error) {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	}); err != nil {
		both()
		return nil, err
	}
	return both, nil
}
