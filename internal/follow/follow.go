// Package follow keeps the published ports of a docker host's running containers open on the laptop.
// It subscribes to dockerd's events, lists the containers after each event, listens on the laptop,
// and relays connections over one SSH connection.
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

// Remote is an SSH connection to the docker host.
type Remote interface {
	host.Host
	// Open connects from the docker host to an address.
	Open(ctx context.Context, network, addr string) (relay.Stream, error)
	// CheckAlive returns nil if the docker host still answers.
	CheckAlive(ctx context.Context) error
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	Close()
}

// Config is how to reach the docker host and the laptop.
type Config struct {
	Name string // of the docker host, for messages
	// Login makes a new SSH connection.
	Login func(context.Context) (Remote, error)
	// Docker connects to dockerd's API. If it is nil or fails, Socket on the docker host is used over SSH.
	Docker func(context.Context) (net.Conn, error)
	Socket string
	// SyncUDP replaces the VM's NAT rules for UDP by rules for the given ports. It returns the ports
	// for which that failed. It is nil if the docker host is not behind VirtualBox's NAT.
	SyncUDP func(ctx context.Context, ports []int) map[int]error
	// Listen listens on the laptop; network is "tcp4", "tcp6" or "tcp".
	Listen func(network, addr string) (net.Listener, error)
	// Holder returns the program that listens on a port: "node (PID 4711)"; "" if unknown.
	Holder func(ctx context.Context, port int) string
	OS     string // of the laptop, as host.Laptop names it
	// Bind is the address to listen on; the zero Addr means 127.0.0.1 and ::1.
	Bind netip.Addr
	// Remap means that the next free port of the laptop is used if a port is taken.
	Remap bool
	// Away, if not nil, is called with the reason when the docker host cannot be reached over SSH,
	// and with "" when it can be reached again.
	Away func(reason string)
	// Report is called for each change, never concurrently.
	Report func(Event)
	// Notify prints a message about a wait.
	Notify func(format string, args ...any)
}

// Kind is the kind of an Event.
type Kind string

// The kinds of event.
const (
	Add     Kind = "add"
	Remove  Kind = "remove"
	Problem Kind = "problem"
)

// Event is one change. "ports follow --json" prints it.
type Event struct {
	Kind      Kind   `json:"event"`
	Port      int    `json:"port"`     // the published port; 0 if docker lists none
	Protocol  string `json:"protocol"` // "" if docker lists no port
	Container string `json:"container"`
	Reach     string `json:"reach"`  // "localhost:8080"; only with Add
	Reason    string `json:"reason"` // only with Problem
	// Taken means that another program listens on the laptop's port; only with Problem.
	Taken bool `json:"-"`
}

// Follower follows the published ports of one docker host.
type Follower struct {
	Config
	tunnel     tunnel
	changed    chan struct{} // the containers must be listed
	udpChanged chan struct{} // udp has changed

	mu       sync.Mutex // guards the fields below, and Report
	forwards map[ports.Key]*forward
	udp      map[ports.Key]ports.Published // UDP ports that need a NAT rule
	problems map[Event]bool                // reported problems that persist
	closed   bool
}

// New returns a Follower. Run starts it.
func New(c Config) *Follower {
	f := &Follower{Config: c, changed: make(chan struct{}, 1), udpChanged: make(chan struct{}, 1), forwards: map[ports.Key]*forward{}, problems: map[Event]bool{}}
	if f.Away == nil {
		f.Away = func(string) {}
	}
	f.tunnel = tunnel{login: c.Login, notify: c.Notify, away: f.Away, name: c.Name, wake: make(chan struct{}, 1), tried: make(chan struct{})}
	return f
}

// Run follows until ctx ends. Then it closes all listeners and resets all connections.
func (f *Follower) Run(ctx context.Context) {
	var wg sync.WaitGroup
	resubscribe := make(chan struct{}, 1)
	wg.Go(func() {
		f.tunnel.keep(ctx, func() { poke(resubscribe) })
	})
	wg.Go(func() { f.watch(ctx, resubscribe) })
	wg.Go(func() { f.keepRules(ctx) })
	wg.Go(func() { noticeSleep(ctx, func() { poke(resubscribe); f.tunnel.check(ctx) }) })
	<-ctx.Done()
	f.closeAll()
	wg.Wait()
}

const (
	// clockInterval is how often noticeSleep compares the two clocks.
	clockInterval = 5 * time.Second
	// jump is by how much they must differ.
	jump = 5 * time.Second
)

// noticeSleep calls woken after the laptop has slept, when connections may be dead without notice.
// During sleep the time of day goes on, but the monotonic clock stops.
func noticeSleep(ctx context.Context, woken func()) {
	last := time.Now()
	for host.Sleep(ctx, clockInterval) == nil {
		now := time.Now()
		if now.Round(0).Sub(last.Round(0))-now.Sub(last) > jump {
			woken()
		}
		last = now
	}
}
