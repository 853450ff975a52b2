package fakevbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// nat holds the listeners of a VM's NAT rules.
type nat struct {
	guest Guest
	gate  *gate
	log   *slog.Logger

	mu    sync.Mutex
	rules map[Forward]net.Listener // nil: the port was taken when the rule was added
	conns map[net.Conn]bool
}

func newNAT(g Guest, gate *gate, log *slog.Logger) *nat {
	return &nat{guest: g, gate: gate, log: log, rules: map[Forward]net.Listener{}, conns: map[net.Conn]bool{}}
}

// sync opens the listeners of new rules and closes those of deleted rules. Existing connections
// stay.
func (n *nat) sync(vm *VM) {
	n.mu.Lock()
	defer n.mu.Unlock()
	want := map[Forward]bool{}
	for _, nic := range vm.NICs {
		for _, f := range nic.Forwards {
			if nic.Attachment == "nat" && f.Proto == "tcp" {
				want[f] = true
			}
		}
	}
	for f, ln := range n.rules {
		if !want[f] {
			if ln != nil {
				ln.Close()
			}
			delete(n.rules, f)
		}
	}
	for f := range want {
		if _, tried := n.rules[f]; tried {
			continue
		}
		ip := f.HostIP
		if ip == "" || ip == "0.0.0.0" {
			ip = "127.0.0.1" // VirtualBox listens on every address; a test must not
		}
		ln, err := net.Listen("tcp4", net.JoinHostPort(ip, strconv.Itoa(f.HostPort)))
		if err != nil {
			n.log.Error("NAT: failed to redirect", "rule", f.Name, "error", err)
			n.rules[f] = nil
			continue
		}
		n.rules[f] = ln
		go n.serve(ln, f.GuestPort)
	}
}

func (n *nat) serve(ln net.Listener, port int) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go n.carry(conn, port)
	}
}

func (n *nat) carry(conn net.Conn, port int) {
	n.mu.Lock()
	n.conns[conn] = true
	n.mu.Unlock()
	defer func() {
		conn.Close()
		n.mu.Lock()
		delete(n.conns, conn)
		n.mu.Unlock()
	}()
	n.gate.pass()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	far, err := n.guest.Dial(ctx, port)
	cancel()
	if err != nil {
		return
	}
	splice(conn, far, n.gate)
}

// closeAll ends the VM's network: it closes all listeners and connections.
func (n *nat) closeAll() {
	n.gate.open()
	n.mu.Lock()
	defer n.mu.Unlock()
	for f, ln := range n.rules {
		if ln != nil {
			ln.Close()
		}
		delete(n.rules, f)
	}
	for c := range n.conns {
		c.Close()
	}
}

// splice copies bytes both ways until both ends are done. Go's TCP connections have TCP_NODELAY
// set.
func splice(a, b net.Conn, g *gate) {
	defer b.Close()
	var wg sync.WaitGroup
	for _, dir := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(&gated{dir[0], g}, dir[1])
			if half, ok := dir[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	wg.Wait()
}

// gate stops traffic while a VM is paused.
type gate struct {
	mu     sync.Mutex
	opened chan struct{}
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	c := g.opened
	g.mu.Unlock()
	<-c
}

type gated struct {
	io.Writer
	g *gate
}

func (w *gated) Write(p []byte) (int, error) {
	w.g.pass()
	return w.Writer.Write(p)
}

// serveHostOnly is the VM's host-only adapter. The client's first line is the port; the answer is
// "ok" or "refused"; then the connection carries the port's bytes.
func serveHostOnly(ln net.Listener, g Guest, gate *gate) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			line, err := readLine(conn)
			if err != nil {
				return
			}
			port, _ := strconv.Atoi(line)
			gate.pass()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			far, err := g.Dial(ctx, port)
			cancel()
			if err != nil {
				fmt.Fprintln(conn, "refused")
				return
			}
			fmt.Fprintln(conn, "ok")
			splice(conn, far, gate)
		}()
	}
}

// readLine reads byte by byte, because what follows the line belongs to the connection.
func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	one := bufio.NewReaderSize(&single{r}, 16)
	for {
		c, err := one.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return b.String(), nil
		}
		b.WriteByte(c)
	}
}

type single struct{ r io.Reader }

func (s *single) Read(p []byte) (int, error) { return s.r.Read(p[:1]) }

// DialHostOnly connects to a port of the running VM that has this host-only address, without
// sending a packet. The error is syscall.ECONNREFUSED if nothing listens there,
// syscall.EHOSTUNREACH if no running VM has the address.
func DialHostOnly(ctx context.Context, home, ip string, port int) (net.Conn, error) {
	w, err := Load(home)
	if err != nil {
		return nil, err
	}
	for _, vm := range w.VMs {
		if vm.IP != ip || vm.State != "running" && vm.State != "paused" {
			continue
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", netSocket(home, vm.UUID))
		if err != nil {
			return nil, syscall.EHOSTUNREACH
		}
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetDeadline(deadline)
		}
		if _, err := fmt.Fprintln(conn, port); err != nil {
			conn.Close()
			return nil, err
		}
		answer, err := readLine(conn)
		if err == nil && answer != "ok" {
			err = syscall.ECONNREFUSED
		}
		if errors.Is(err, io.EOF) {
			err = syscall.ECONNRESET
		}
		if err != nil {
			conn.Close()
			return nil, err
		}
		_ = conn.SetDeadline(time.Time{})
		return conn, nil
	}
	return nil, syscall.EHOSTUNREACH
}
