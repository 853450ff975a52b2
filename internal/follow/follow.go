// Package follow keeps the laptop's listeners equal to the published ports of a docker
// host's running containers, for as long as it runs: dockerd's events, a list of the
// containers after each, and connections relayed over one SSH connection.
package follow

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// Remote is the docker host, logged in to.
type Remote interface {
	host.Host
	// Open connects as seen from the docker host.
	Open(ctx context.Context, network, addr string) (relay.Stream, error)
	// CheckAlive is nil if the docker host still answers.
	CheckAlive(ctx context.Context) error
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	Close()
}

// Config is how to reach the docker host and the laptop.
type Config struct {
	Name string // of the docker host, for messages
	// Login logs in anew each time.
	Login func(context.Context) (Remote, error)
	// Docker connects to dockerd's API. Where it is nil or fails, that is Socket on the
	// docker host, with the login user's rights.
	Docker func(context.Context) (net.Conn, error)
	Socket string
	// SyncUDP makes the VM's NAT rules for UDP those of the given ports, and returns why a
	// port could not have one. It is nil where there is no such NAT.
	SyncUDP func(ctx context.Context, ports []int) map[int]error
	// Listen listens on the laptop; network is "tcp4", "tcp6" or "tcp".
	Listen func(network, addr string) (net.Listener, error)
	// Holder names the program that listens on a port: "node (PID 4711)"; "" if unknown.
	Holder func(ctx context.Context, port int) string
	OS     string // of the laptop, as host.Laptop names it
	// Bind is the one address to listen on; the zero Addr is 127.0.0.1 and ::1.
	Bind netip.Addr
	// Remap takes the next free port of the laptop where a port is taken.
	Remap bool
	// Away, if not nil, gets why the docker host cannot be reached over SSH, and "" when it can
	// be reached again.
	Away func(reason string)
	// Report gets what has changed, one event at a time.
	Report func(Event)
	// Notify passes on what a wait is for.
	Notify func(format string, args ...any)
}

// Kind is what has become of a published port.
type Kind string

// The kinds of event.
const (
	Add     Kind = "add"
	Remove  Kind = "remove"
	Problem Kind = "problem"
)

// Event is one change. Its JSON is that of "ports follow".
type Event struct {
	Kind      Kind   `json:"event"`
	Port      int    `json:"port"`     // the published port; 0 where docker lists none
	Protocol  string `json:"protocol"` // "" where docker lists no port
	Container string `json:"container"`
	Reach     string `json:"reach"`  // "localhost:8080"; Add only
	Reason    string `json:"reason"` // Problem only
	// Taken reports that another program has the port of the laptop; Problem only.
	Taken bool `json:"-"`
}

// Follower is one run.
type Follower struct {
	Config
	tunnel     tunnel
	changed    chan struct{} // asks for another list
	udpChanged chan struct{} // asks for a look at udp

	mu       sync.Mutex // of the rest, and of Report
	forwards map[ports.Key]*forward
	udp      map[ports.Key]ports.Published // that are wanted
	problems map[Event]bool                // those that are reported and still there
	closed   bool
}

// New is a Follower that has not begun.
func New(c Config) *Follower {
	f := &Follower{Config: c, changed: make(chan struct{}, 1), udpChanged: make(chan struct{}, 1), forwards: map[ports.Key]*forward{}, problems: map[Event]bool{}}
	if f.Away == nil {
		f.Away = func(string) {}
	}
	f.tunnel = tunnel{login: c.Login, notify: c.Notify, away: f.Away, name: c.Name, wake: make(chan struct{}, 1), tried: make(chan struct{})}
	return f
}

// Run follows until ctx ends. Then every listener is closed and every connection reset.
func (f *Follower) Run(ctx context.Context) {
	var wg sync.WaitGroup
	watching := make(chan struct{}, 1) // asks for a new subscription
	wg.Go(func() {
		f.tunnel.keep(ctx, func() { poke(watching) })
	})
	wg.Go(func() { f.watch(ctx, watching) })
	wg.Go(func() { f.keepRules(ctx) })
	wg.Go(func() { noticeSleep(ctx, func() { poke(watching); f.tunnel.check(ctx) }) })
	<-ctx.Done()
	f.closeAll()
	wg.Wait()
}

const (
	// lookEvery is how often the clock is looked at, and jump what it may lose meanwhile.
	lookEvery = 5 * time.Second
	jump      = 5 * time.Second
)

// noticeSleep calls woken after the laptop has slept: the clock on the wall has gone on
// then, and the monotonic one has not. Connections may be dead without a word.
func noticeSleep(ctx context.Context, woken func()) {
	last := time.Now()
	for host.Sleep(ctx, lookEvery) == nil {
		now := time.Now()
		if now.Round(0).Sub(last.Round(0))-now.Sub(last) > jump {
			woken()
		}
		last = now
	}
}
