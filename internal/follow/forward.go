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
	// lastBytes is how long connections are kept after their container has stopped, for data that
	// is still on its way.
	lastBytes = 30 * time.Second
	// remapRange is how many consecutive ports are tried with Remap.
	remapRange = 200
	// privileged is the first port that needs no privileges.
	privileged = 1024
)

// forward is one published TCP port on the laptop.
type forward struct {
	published ports.Published
	reach     string // "localhost:8080"; "" while it does not listen
	listeners []net.Listener

	// While it does not listen: why, and when to try again.
	problem error
	wait    time.Duration
	retryAt time.Time

	mu     sync.Mutex
	conns  map[net.Conn]bool
	ended  bool
	tunnel *tunnel
}

// reconcile opens and closes listeners so that they are those that the containers need.
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
			f.reportProblem(problems, p, why)
		default:
			f.forwards[key] = &forward{published: p, conns: map[net.Conn]bool{}, tunnel: &f.tunnel}
			f.listen(ctx, f.forwards[key])
		}
	}
	for _, p := range refused {
		f.reportProblem(problems, p, p.Obstacle)
	}
	f.problems = problems
	f.wantRules(udp)
}

// have returns the published ports that are forwarded now. f.mu is held.
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

// wouldRemove reports whether reconcile would remove a port that is forwarded now.
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

// reportProblem reports a problem unless it was reported before and persists. now collects the
// current problems.
func (f *Follower) reportProblem(now map[Event]bool, p ports.Published, reason string) {
	e := Event{Kind: Problem, Port: p.HostPort, Protocol: p.Protocol, Container: p.Container, Reason: reason}
	if !f.problems[e] && !now[e] {
		f.Report(e)
	}
	now[e] = true
}

// retryTaken tries again to listen on ports where that failed, if it is time. It returns after how
// long to call it again; 0 means never.
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

// listen opens the listeners of a forward and reports the result. f.mu is held.
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

// shown returns the address on which the Follower listens, for people.
func (f *Follower) shown() string {
	if !f.Bind.IsValid() || f.Bind == netip.MustParseAddr("127.0.0.1") || f.Bind == netip.IPv6Loopback() {
		return "localhost"
	}
	return f.Bind.String()
}

// bind listens on a port, or with Remap on the next free one. It returns the port.
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

// bindTo listens on Bind, or else on 127.0.0.1 and, if the laptop has IPv6, on ::1.
func (f *Follower) bindTo(port int) ([]net.Listener, error) {
	number := strconv.Itoa(port)
	if f.Bind.IsValid() {
		l, err := f.Listen("tcp", net.JoinHostPort(f.Bind.String(), number))
		return []net.Listener{l}, err
	}
	four, err := f.Listen("tcp4", net.JoinHostPort("127.0.0.1", number))
	if errors.Is(err, fs.ErrPermission) && f.OS == host.Darwin && port < privileged {
		// macOS lets only root listen on 127.0.0.1:80, but everyone on 0.0.0.0:80
		// (apple/container#1985). serve rejects connections from other computers.
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

// why returns why listening on a port failed, for people.
func (f *Follower) why(ctx context.Context, port int, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d is taken by %s", port, cmp.Or(f.Holder(ctx, port), "another program"))
	case errors.Is(err, fs.ErrPermission) && f.OS == host.Linux:
		return fmt.Sprintf("this user may not listen on port %d; to allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=%d", port, port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("%s is not an address of this laptop", f.Bind)
	}
	return fmt.Sprintf("listening on port %d: %v", port, err)
}

// remove closes the listeners of a forward at once, and its connections after lastBytes.
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

// closeAll closes everything. It reports nothing, because the program ends.
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

// serve accepts connections until the listener is closed. With localOnly it rejects those of other computers.
func (fw *forward) serve(l net.Listener, localOnly bool) {
	var wait backoff
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of file descriptors
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

// carry relays one connection to the container.
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
