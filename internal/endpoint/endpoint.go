package endpoint

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

const (
	// ProbeTime bounds one probe: a peer that sends nothing for so long is silent.
	ProbeTime = 2 * time.Second
	// Localhost is the name that a forwarded endpoint goes by.
	Localhost = "localhost"
)

// Endpoint is a host and port at which docker may connect.
type Endpoint struct {
	Host string `json:"host"` // "localhost", or the host-only address
	Port int    `json:"port"`
	// Inside reaches the port from within the docker host, through SSH: it shows what dockerd
	// serves when no way from the laptop does. docker itself cannot use it.
	Inside bool `json:"inside,omitempty"`
	// Planned reports that nothing leads there yet: a repair would make it so. Port is 0
	// then: only Goal looks for one.
	Planned bool `json:"planned,omitempty"`
}

// Forwarded is the endpoint that a NAT rule at the laptop's port makes. docker gets the name
// localhost: vmchange.AddRule listens on host.Loopback, and virtualbox.DaemonRules counts no
// rule on another address.
func Forwarded(port int) Endpoint { return Endpoint{Host: Localhost, Port: port} }

// IsForwarded reports whether the endpoint is one that a NAT rule makes.
func (e Endpoint) IsForwarded() bool { return e.Host == Localhost && !e.Inside }

// URL is the value for DOCKER_HOST; empty where no endpoint is known.
func (e Endpoint) URL() string {
	if e.Host == "" || e.Port == 0 {
		return ""
	}
	return "tcp://" + net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}

// addr is what is dialled: localhost may be ::1 first, or missing from the hosts
// file (boot2docker#392), and a NAT rule listens on IPv4.
func (e Endpoint) addr() string {
	ip := e.Host
	if ip == Localhost {
		ip = host.Loopback
	}
	return net.JoinHostPort(ip, strconv.Itoa(e.Port))
}

// Answer is what an endpoint answered.
type Answer struct {
	Endpoint Endpoint
	DialErr  error               // no connection was accepted
	TLSErr   error               // one was, and there is no TLS
	Leaf     *x509.Certificate   // what is served; nil without TLS
	Sent     []*x509.Certificate // what is served behind it
	Version  uint16              // of TLS
	// NoClientAuth reports that the server never asked for a client certificate.
	NoClientAuth bool
	PingErr      error // after TLS
	API          string
	Identity     Identity
}

// Chain is what is served, the server's own certificate first.
func (a Answer) Chain() []*x509.Certificate { return append([]*x509.Certificate{a.Leaf}, a.Sent...) }

// Speaks reports whether a dockerd answered, of this machine or another.
func (a Answer) Speaks() bool { return a.Leaf != nil && a.PingErr == nil }

// Verified reports that this machine's dockerd answered at its own endpoint. Whether
// its certificate is good for the endpoint's name is another question.
func (a Answer) Verified() bool { return a.Speaks() && a.Identity == Mine }

// Ask connects to an endpoint, shakes hands without trusting, and pings.
func (f *Finder) Ask(ctx context.Context, e Endpoint) Answer {
	if e.Host == "" {
		return Answer{DialErr: errors.New("no address is known"), Identity: Unsure}
	}
	a, _ := f.answers.Get(ctx, e, func() (Answer, error) { return f.ask(ctx, e), nil })
	return a
}

// slow is how long a way may take before the next is tried beside it.
const slow = 250 * time.Millisecond

// AskAhead asks at the host-only address as soon as something else takes long: two
// silent ways side by side are no slower than one. stop ends the wait for that.
func (f *Finder) AskAhead(ctx context.Context) (stop func()) {
	e := f.HostOnly()
	if !f.asksAhead(e) {
		return func() {}
	}
	ahead := time.AfterFunc(slow, func() { f.Ask(ctx, e) })
	return func() { ahead.Stop() }
}

func (f *Finder) asksAhead(e Endpoint) bool {
	return !f.Mode().IsQuick() && !f.Mode().IsRepair() && f.Machine.VirtualBox() && e.Host != ""
}

func (f *Finder) Inside() Endpoint {
	return Endpoint{Host: Localhost, Port: f.Machine.EnginePort, Inside: true}
}

func (f *Finder) HostOnly() Endpoint {
	ip := f.Machine.IP
	if !ip.IsValid() {
		return Endpoint{Host: f.Machine.Host, Port: f.Machine.EnginePort}
	}
	return Endpoint{Host: ip.String(), Port: f.Machine.EnginePort}
}

// Record reads the endpoint record; none is fs.ErrNotExist.
func (f *Finder) Record(ctx context.Context) (store.EndpointRecord, error) {
	data, err := f.Laptop.ReadFile(ctx, f.Machine.RecordPath())
	if err != nil {
		return store.EndpointRecord{}, err
	}
	return store.ParseEndpointRecord(data)
}

// VerifiedRecord needs no outside command.
func (f *Finder) VerifiedRecord(ctx context.Context) (Endpoint, bool) {
	r, err := f.Record(ctx)
	if err != nil {
		return Endpoint{}, false
	}
	e := Forwarded(r.Port)
	return e, f.Ask(ctx, e).Verified()
}

// ForDocker is the endpoint that docker should use. A repair makes a rule in any case, where
// there can be one: the host-only address is no reason to have none.
func (f *Finder) ForDocker(ctx context.Context) Endpoint {
	e, _ := f.forDocker.Get(ctx, func() (Endpoint, error) {
		defer f.AskAhead(ctx)()
		if e, ok := f.VerifiedRecord(ctx); ok {
			return e, nil
		}
		if !f.Machine.VirtualBox() {
			return f.HostOnly(), nil
		}
		forwards := false // whether there can be a NAT rule
		if vm, err := f.VM.Info(ctx); err == nil {
			_, forwards = vm.NATSlot()
			if rules := f.VM.DaemonRules(vm); len(rules) > 0 {
				return Forwarded(rules[0].HostPort), nil
			}
		}
		if e := f.HostOnly(); (!f.Mode().IsRepair() || !forwards) && f.Ask(ctx, e).Verified() {
			return e, nil
		}
		return Endpoint{Host: Localhost, Planned: true}, nil
	})
	return e
}

// Goal has dockerd's own port where none can be planned.
func (f *Finder) Goal(ctx context.Context) Endpoint {
	e := f.ForDocker(ctx)
	if e.Planned && !f.Mode().IsQuick() {
		port, _ := f.RulePort(ctx)
		e.Port = cmp.Or(port, store.DefaultDaemonPort)
	}
	return e
}

func (f *Finder) ask(ctx context.Context, e Endpoint) Answer {
	a := Answer{Endpoint: e, Identity: Unsure}
	limit := ProbeTime
	if e.IsForwarded() || e.Inside { // no VPN is in the way there, as it may be to the host-only address
		limit = max(limit, f.Mode().Patience())
	}
	// Each silence has the limit, all of it twice that.
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	dialing, dialed := context.WithTimeout(ctx, limit)
	defer dialed()
	dial := f.Laptop.DialContext
	if e.Inside {
		h, err := f.DockerHost(dialing)
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
	pair, err := f.ClientPair(ctx)
	if err != nil {
		a.TLSErr = err
		return a
	}
	seen, err := dockerd.Handshake(ctx, &patientConn{Conn: conn, silence: limit}, dockerd.TLS{ServerName: e.Host, Certificate: pair})
	if err != nil {
		a.TLSErr = err
		return a
	}
	a.Leaf, a.Sent, a.Version, a.NoClientAuth = seen.Leaf, seen.Chain[1:], seen.Version, !seen.ClientAuth
	a.Identity = f.identify(ctx, a.Leaf)
	a.API, a.PingErr = seen.Ping(ctx)
	return a
}

// VMAnswers reports whether the VM is up, as far as the endpoint that docker should use shows:
// something there makes a TLS handshake. It need not be a dockerd that works.
func (f *Finder) VMAnswers(ctx context.Context) bool {
	e := f.ForDocker(ctx)
	return !e.Planned && f.Ask(ctx, e).Leaf != nil
}
