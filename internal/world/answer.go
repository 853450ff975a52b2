package world

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// Endpoint is where docker is told to connect.
type Endpoint struct {
	Host string `json:"host"` // "localhost", or the host-only address
	Port int    `json:"port"`
	// Inside reaches the port from within the docker host, through SSH: it shows what dockerd
	// serves when no way from the laptop does. docker itself cannot use it.
	Inside bool `json:"inside,omitempty"`
	// Planned says that nothing leads there yet: a repair would make it so.
	Planned bool `json:"planned,omitempty"`
}

// URL is the value for DOCKER_HOST; empty where no endpoint is known.
func (e Endpoint) URL() string {
	if e.Host == "" {
		return ""
	}
	return "tcp://" + net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}

// addr is what is dialled: localhost may be ::1 first, or missing from the hosts
// file (boot2docker#392), and a NAT rule listens on IPv4.
func (e Endpoint) addr() string {
	host := e.Host
	if host == Localhost {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(e.Port))
}

// Answer is what an endpoint answered.
type Answer struct {
	Endpoint Endpoint
	DialErr  error               // nobody accepts a connection
	TLSErr   error               // somebody does, and does not speak TLS with us
	Leaf     *x509.Certificate   // what is served; nil without TLS
	Sent     []*x509.Certificate // what is served behind it
	Version  uint16              // of TLS
	// NoClientAuth says that the server never asked for a client certificate.
	NoClientAuth bool
	PingErr      error // after TLS
	API          string
	Identity     Identity
}

// Chain is what is served, the server's own certificate first.
func (a Answer) Chain() []*x509.Certificate { return append([]*x509.Certificate{a.Leaf}, a.Sent...) }

// Speaks says that dockerd answered, whoever's it is.
func (a Answer) Speaks() bool { return a.Leaf != nil && a.PingErr == nil }

// Proved says that this machine's dockerd answered at its own endpoint. Whether
// its certificate is good for the endpoint's name is another question.
func (a Answer) Proved() bool { return a.Speaks() && a.Identity == Mine }

// Ask connects to an endpoint, shakes hands without trusting, and pings.
func (w *World) Ask(ctx context.Context, e Endpoint) Answer {
	if e.Host == "" {
		return Answer{DialErr: errors.New("no address is known"), Identity: Unsure}
	}
	a, _ := w.answers.Get(ctx, e, func() (Answer, error) { return w.ask(ctx, e), nil })
	return a
}

// slow is how long a way may take before the next is tried beside it.
const slow = 250 * time.Millisecond

// AskAhead asks at the host-only address as soon as something else takes long: two
// silent ways side by side are no slower than one. stop ends the wait for that.
func (w *World) AskAhead(ctx context.Context) (stop func()) {
	e := w.HostOnlyEndpoint()
	if !w.asksAhead(e) {
		return func() {}
	}
	ahead := time.AfterFunc(slow, func() { w.Ask(ctx, e) })
	return func() { ahead.Stop() }
}

func (w *World) asksAhead(e Endpoint) bool {
	return !w.Frugal && !w.Repairing() && w.Machine.VirtualBox() && e.Host != ""
}

// Inside is dockerd's port as the docker host itself sees it.
func (w *World) Inside() Endpoint {
	return Endpoint{Host: Localhost, Port: w.Machine.EnginePort, Inside: true}
}

// HostOnlyEndpoint is dockerd at the host-only address, the way that a VPN takes.
func (w *World) HostOnlyEndpoint() Endpoint {
	ip := w.HostOnly()
	if !ip.IsValid() {
		return Endpoint{Host: w.Machine.Host, Port: w.Machine.EnginePort}
	}
	return Endpoint{Host: ip.String(), Port: w.Machine.EnginePort}
}

// Record reads the endpoint record; none is fs.ErrNotExist.
func (w *World) Record(ctx context.Context) (store.Record, error) {
	data, err := w.Laptop.ReadFile(ctx, w.Machine.RecordPath())
	if err != nil {
		return store.Record{}, err
	}
	return store.ParseRecord(data)
}

// Proven is the recorded endpoint, if what answers there proves to be this
// machine: no outside command is needed then.
func (w *World) Proven(ctx context.Context) (Endpoint, bool) {
	r, err := w.Record(ctx)
	if err != nil {
		return Endpoint{}, false
	}
	e := Endpoint{Host: Localhost, Port: r.Port}
	return e, w.Ask(ctx, e).Proved()
}

// Target is the endpoint that docker should use: the recorded one if it proves
// itself, else that of the NAT rule, else the host-only address if dockerd
// answers there, else the one that a repair would make.
func (w *World) Target(ctx context.Context) Endpoint {
	e, _ := w.target.Get(ctx, func() (Endpoint, error) {
		defer w.AskAhead(ctx)()
		if e, ok := w.Proven(ctx); ok {
			return e, nil
		}
		if !w.Machine.VirtualBox() {
			return w.HostOnlyEndpoint(), nil
		}
		if vm, err := w.VM.Info(ctx); err == nil {
			if rules := w.VM.DaemonRules(vm); len(rules) > 0 {
				return Endpoint{Host: Localhost, Port: rules[0].HostPort}, nil
			}
		}
		if e := w.HostOnlyEndpoint(); !w.Repairing() && w.Ask(ctx, e).Proved() {
			return e, nil
		}
		return Endpoint{Host: Localhost, Port: w.PreferredPort(), Planned: true}, nil
	})
	return e
}

// Endpoint is Target as text.
func (w *World) Endpoint(ctx context.Context) string {
	if w.LoadErr != nil {
		return ""
	}
	return w.Target(ctx).URL()
}

func (w *World) ask(ctx context.Context, e Endpoint) Answer {
	a := Answer{Endpoint: e, Identity: Unsure}
	limit := ProbeTime
	if e.Host == Localhost {
		limit = max(limit, w.Patience)
	}
	// Each silence has the limit, all of it twice that.
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	dialing, dialed := context.WithTimeout(ctx, limit)
	defer dialed()
	dial := w.Laptop.DialContext
	if e.Inside {
		h, err := w.SSH.Host(dialing)
		if err != nil {
			a.DialErr = err
			return a
		}
		dial = h.DialContext
	}
	conn, err := dial(dialing, "tcp", e.addr())
	if err != nil {
		a.DialErr = err
		return a
	}
	defer conn.Close()
	pair, err := w.ClientPair(ctx)
	if err != nil {
		a.TLSErr = err
		return a
	}
	seen, err := dockerd.Handshake(ctx, &hearing{Conn: conn, silence: limit}, dockerd.TLS{ServerName: e.Host, Certificate: pair})
	if err != nil {
		a.TLSErr = err
		return a
	}
	a.Leaf, a.Sent, a.Version, a.NoClientAuth = seen.Leaf, seen.Chain[1:], seen.Version, !seen.ClientAuth
	a.Identity = w.identify(ctx, a.Leaf)
	a.API, a.PingErr = seen.Ping(ctx)
	return a
}
