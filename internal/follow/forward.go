package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

const (
	// lastBytes is how long connections go on after their container has stopped: what it
	// has sent last is still on its way.
	lastBytes = 30 * time.Second
	// remapRange is how many ports in a row are tried with Remap.
	remapRange = 200
	// privileged ports are root's on most computers.
	privileged = 1024
)

// forward is one published port on the laptop.
type forward struct {
	published ports.Published
	reach     string // "" while it does not listen
	listeners []net.Listener

	// While it does not listen: why, and when it is tried again.
	problem error
	wait    time.Duration
	retryAt time.Time

	mu     sync.Mutex
	conns  map[net.Conn]bool
	ended  bool
	tunnel *tunnel
}

// reconcile makes the listeners those that the containers need.
func (f *Follower) reconcile(ctx context.Context, list []dockerd.Container) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	have := f.have()
	wanted, refused := ports.Plan(have, list)
	problems := map[Event]bool{}
	for _, key := range sorted(have) {
		if wanted[key] != have[key] && f.forwards[key] != nil {
			f.remove(key)
		}
	}
	udp := map[ports.Key]ports.Published{}
	for _, key := range sorted(wanted) {
		p := wanted[key]
		ok, why := f.byRule(p)
		switch {
		case f.forwards[key] != nil:
		case ok:
			udp[key] = p
		case p.Protocol != ports.TCP:
			f.problem(problems, p, why)
		default:
			f.forwards[key] = &forward{published: p, conns: map[net.Conn]bool{}, tunnel: &f.tunnel}
			f.listen(ctx, f.forwards[key])
		}
	}
	for _, p := range refused {
		f.problem(problems, p, p.Obstacle)
	}
	f.problems = problems
	f.wantRules(udp)
}

// have are the published ports that are forwarded now; f.mu is held.
func (f *Follower) have() map[ports.Key]ports.Published {
	have := maps.Clone(f.udp)
	if have == nil {
		have = map[ports.Key]ports.Published{}
	}
	for key, fw := range f.forwards {
		have[key] = fw.published
	}
	return have
}

// wouldRemove reports whether a port would go that is forwarded now.
func (f *Follower) wouldRemove(list []dockerd.Container) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.have()
	wanted, _ := ports.Plan(have, list)
	for key, p := range have {
		if wanted[key] != p {
			return true
		}
	}
	return false
}

// problem reports a problem once for as long as it lasts. now are those that there are.
func (f *Follower) problem(now map[Event]bool, p ports.Published, reason string) {
	e := Event{Kind: Problem, Port: p.HostPort, Protocol: p.Protocol, Container: p.Container, Reason: reason}
	if !f.problems[e] && !now[e] {
		f.Report(e)
	}
	now[e] = true
}

// retryTaken tries the ports again that could not be listened on, and returns when to do
// so next; 0 is never.
func (f *Follower) retryTaken(ctx context.Context) (next time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range sorted(f.forwards) {
		fw := f.forwards[key]
		if fw.reach != "" || f.closed {
			continue
		}
		if !time.Now().Before(fw.retryAt) {
			f.listen(ctx, fw)
		}
		if left := time.Until(fw.retryAt); fw.reach == "" && (next == 0 || left < next) {
			next = max(left, time.Millisecond)
		}
	}
	return next
}

// listen opens the listeners of a forward that has none yet.
func (f *Follower) listen(ctx context.Context, fw *forward) {
	p := fw.published
	all, port, err := f.bind(p.HostPort)
	if err != nil {
		fw.wait = min(max(2*fw.wait, retryTime), maxRetryTime)
		fw.retryAt = time.Now().Add(fw.wait)
		if fw.problem == nil || fw.problem.Error() != err.Error() {
			fw.problem = err
			f.Report(Event{Kind: Problem, Port: p.HostPort, Protocol: p.Protocol, Container: p.Container, Reason: f.why(ctx, p.HostPort, err),
				Taken: errors.Is(err, syscall.EADDRINUSE)})
		}
		return
	}
	fw.problem, fw.listeners = nil, all
	fw.reach = net.JoinHostPort(f.shown(), strconv.Itoa(port))
	for _, l := range all {
		go fw.serve(l, !f.Bind.IsValid())
	}
	f.Report(Event{Kind: Add, Port: p.HostPort, Protocol: p.Protocol, Container: p.Container, Reach: fw.reach})
}

// shown is the address as users write it.
func (f *Follower) shown() string {
	if !f.Bind.IsValid() || f.Bind == netip.MustParseAddr("127.0.0.1") || f.Bind == netip.IPv6Loopback() {
		return "localhost"
	}
	return f.Bind.String()
}

// bind listens on a port, or with Remap on the next that is free.
func (f *Follower) bind(port int) ([]net.Listener, int, error) {
	all, first := f.bindTo(port)
	taken := errors.Is(first, syscall.EADDRINUSE) || errors.Is(first, fs.ErrPermission)
	for next := port + 1; taken && f.Remap && next < min(port+remapRange, 1<<16); next++ {
		var err error
		if all, err = f.bindTo(next); err == nil {
			return all, next, nil
		}
	}
	return all, port, first
}

// bindTo listens on 127.0.0.1 and on ::1, or on the address that is asked for. A computer
// without IPv6 has no ::1.
func (f *Follower) bindTo(port int) ([]net.Listener, error) {
	number := strconv.Itoa(port)
	if f.Bind.IsValid() {
		l, err := f.Listen("tcp", net.JoinHostPort(f.Bind.String(), number))
		return []net.Listener{l}, err
	}
	four, err := f.Listen("tcp4", net.JoinHostPort("127.0.0.1", number))
	if errors.Is(err, fs.ErrPermission) && f.OS == host.Darwin && port < privileged {
		// macOS keeps 127.0.0.1:80 for root, and not 0.0.0.0:80 (apple/container#1985). serve
		// drops what does not come from this computer.
		l, err := f.Listen("tcp", net.JoinHostPort("", number))
		return []net.Listener{l}, err
	}
	if err != nil {
		return nil, err
	}
	six, err := f.Listen("tcp6", net.JoinHostPort("::1", number))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return []net.Listener{four}, nil
	}
	four.Close()
	return nil, err
}

// why is the reason for which a port cannot be listened on.
func (f *Follower) why(ctx context.Context, port int, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d is taken by %s", port, cmp.Or(f.Holder(ctx, port), "another program"))
	case errors.Is(err, fs.ErrPermission) && f.OS == host.Linux:
		return fmt.Sprintf("this user may not listen on port %d; to allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=%d", port, port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("%s is no address of this laptop", f.Bind)
	}
	return fmt.Sprintf("listening on port %d: %v", port, err)
}

// remove closes the listeners of a forward. Its connections end by themselves, soon.
func (f *Follower) remove(key ports.Key) {
	fw := f.forwards[key]
	delete(f.forwards, key)
	for _, l := range fw.listeners {
		l.Close()
	}
	time.AfterFunc(lastBytes, fw.cut)
	if fw.reach != "" {
		f.Report(Event{Kind: Remove, Port: key.Port, Protocol: key.Protocol, Container: fw.published.Container})
	}
}

// closeAll ends everything, without a report: that the program ends says it.
func (f *Follower) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, fw := range f.forwards {
		for _, l := range fw.listeners {
			l.Close()
		}
		fw.cut()
	}
}

// serve accepts connections until the listener is closed.
func (fw *forward) serve(l net.Listener, localOnly bool) {
	var wait backoff
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no more descriptors
			time.Sleep(wait.next())
			continue
		}
		wait.reset()
		from, ok := conn.RemoteAddr().(*net.TCPAddr)
		if localOnly && (!ok || !from.IP.IsLoopback()) {
			reset(conn)
			continue
		}
		go fw.carry(conn)
	}
}

// carry relays one connection.
func (fw *forward) carry(conn net.Conn) {
	fw.mu.Lock()
	if fw.ended {
		fw.mu.Unlock()
		reset(conn)
		return
	}
	fw.conns[conn] = true
	fw.mu.Unlock()
	defer func() {
		fw.mu.Lock()
		delete(fw.conns, conn)
		fw.mu.Unlock()
	}()
	stream, err := fw.tunnel.open(context.Background(), func(own netip.Addr) string { return fw.published.DialAddr(own) })
	if err != nil {
		reset(conn)
		return
	}
	relay.Join(conn.(*net.TCPConn), stream)
}

// cut resets all connections.
func (fw *forward) cut() {
	fw.mu.Lock()
	defer fw.mu.Unlock()
	fw.ended = true
	for conn := range fw.conns {
		reset(conn)
	}
}

// reset closes a connection so that its peer sees a failure.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}
