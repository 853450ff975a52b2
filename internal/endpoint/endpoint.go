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
	// ProbeTime is how long one probe may take; a peer that sends nothing for so long is silent.
	ProbeTime = 2 * time.Second
	// Localhost is the host name in the URL of a forwarded endpoint.
	Localhost = "localhost"
)

// Endpoint is a host and port at which docker may connect.
type Endpoint struct {
	Host string `json:"host"` // "localhost", or the host-only address
	Port int    `json:"port"`
	// Inside means that the port is reached from within the docker host, over SSH. It shows which
	// certificate dockerd serves even if the laptop cannot reach it; docker itself cannot use it.
	Inside bool `json:"inside,omitempty"`
	// Planned means that the endpoint does not exist yet, and a repair would create it. Its Port is
	// 0, except from Goal.
	Planned bool `json:"planned,omitempty"`
}

// Forwarded returns the endpoint of a NAT rule on the laptop's port. docker gets the name
// localhost: vmchange.AddRule listens on host.Loopback, and virtualbox.DaemonRules ignores rules on
// other addresses.
func Forwarded(port int) Endpoint { return Endpoint{Host: Localhost, Port: port} }

// IsForwarded reports whether the endpoint is that of a NAT rule.
func (e Endpoint) IsForwarded() bool { return e.Host == Localhost && !e.Inside }

// URL returns the value for DOCKER_HOST; "" if the host or the port is not known.
func (e Endpoint) URL() string {
	if e.Host == "" || e.Port == 0 {
		return ""
	}
	return "tcp://" + net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}

// addr returns the address to dial. For localhost that is 127.0.0.1, where NAT rules listen: the
// name may resolve to ::1 first, or be missing from the hosts file (boot2docker#392).
func (e Endpoint) addr() string {
	ip := e.Host
	if ip == Localhost {
		ip = host.Loopback
	}
	return net.JoinHostPort(ip, strconv.Itoa(e.Port))
}

// Answer is how an endpoint answered. Each step sets its error, or the fields after it.
type Answer struct {
	Endpoint      Endpoint
	DialErr       error               // why there is no connection
	TLSErr        error               // why the TLS handshake failed
	Leaf          *x509.Certificate   // the server's certificate; nil if the handshake failed
	Intermediates []*x509.Certificate // the other certificates that the server sent
	Version       uint16              // of TLS, as in crypto/tls
	// NoClientAuth means that the server did not ask for a client certificate.
	NoClientAuth bool
	PingErr      error  // why /_ping failed
	API          string // dockerd's API version
	Identity     Identity
}

// Chain returns the certificates that the server sent, its own first.
func (a Answer) Chain() []*x509.Certificate {
	return append([]*x509.Certificate{a.Leaf}, a.Intermediates...)
}

// Speaks reports whether a dockerd answered, of this machine or of another one.
func (a Answer) Speaks() bool { return a.Leaf != nil && a.PingErr == nil }

// Verified reports whether this machine's dockerd answered. It says nothing about whether docker
// would accept the certificate.
func (a Answer) Verified() bool { return a.Speaks() && a.Identity == Mine }

// Ask connects to an endpoint, makes a TLS handshake without verifying the certificate, and sends
// /_ping. The answer is remembered until Forget.
func (f *Finder) Ask(ctx context.Context, e Endpoint) Answer {
	if e.Host == "" {
		return Answer{DialErr: errors.New("no address is known"), Identity: Unsure}
	}
	a, _ := f.answers.Get(ctx, e, func() (Answer, error) { return f.ask(ctx, e), nil })
	return a
}

// slow is how long one endpoint may take before AskAhead tries the host-only address as well.
const slow = 250 * time.Millisecond

// AskAhead asks the host-only address, too, if what the caller does next takes long: waiting for
// two silent peers side by side takes no longer than waiting for one. The caller calls stop when it
// is done.
func (f *Finder) AskAhead(ctx context.Context) (stop func()) {
	e := f.HostOnly()
	if !f.asksAhead(e) {
		return func() {}
	}
	ahead := time.AfterFunc(slow, func() { f.Ask(ctx, e) })
	return func() { ahead.Stop() }
}

// asksAhead reports whether AskAhead does anything: only in a diagnosis.
func (f *Finder) asksAhead(e Endpoint) bool {
	return !f.Mode().IsQuick() && !f.Mode().IsRepair() && f.Machine.VirtualBox() && e.Host != ""
}

// Inside returns dockerd's port as the docker host sees it.
func (f *Finder) Inside() Endpoint {
	return Endpoint{Host: Localhost, Port: f.Machine.EnginePort, Inside: true}
}

// HostOnly returns dockerd's port at the machine's own address.
func (f *Finder) HostOnly() Endpoint {
	ip := f.Machine.IP
	if !ip.IsValid() {
		return Endpoint{Host: f.Machine.Host, Port: f.Machine.EnginePort}
	}
	return Endpoint{Host: ip.String(), Port: f.Machine.EnginePort}
}

// Record reads the endpoint record. If there is none, the error is fs.ErrNotExist.
func (f *Finder) Record(ctx context.Context) (store.EndpointRecord, error) {
	data, err := f.Laptop.ReadFile(ctx, f.Machine.RecordPath())
	if err != nil {
		return store.EndpointRecord{}, err
	}
	return store.ParseEndpointRecord(data)
}

// VerifiedRecord returns the recorded endpoint; ok is false unless this machine's dockerd answers
// there. It runs no command.
func (f *Finder) VerifiedRecord(ctx context.Context) (e Endpoint, ok bool) {
	r, err := f.Record(ctx)
	if err != nil {
		return Endpoint{}, false
	}
	e = Forwarded(r.Port)
	return e, f.Ask(ctx, e).Verified()
}

// ForDocker returns the endpoint that docker should use. A repair does not settle for the host-only
// address if the VM can have a NAT rule.
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

// Goal returns the endpoint of ForDocker. A planned one has the port that its NAT rule will get, or
// dockerd's default port if none can be found.
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
	if e.IsForwarded() || e.Inside { // no VPN is in the way, so a slow peer is worth waiting for
		limit = max(limit, f.Mode().Patience())
	}
	// The peer may be silent for limit at a time, and all may take twice as long.
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
	a.Leaf, a.Intermediates, a.Version, a.NoClientAuth = seen.Leaf, seen.Chain[1:], seen.Version, !seen.ClientAuth
	a.Identity = f.identify(ctx, a.Leaf)
	a.API, a.PingErr = seen.Ping(ctx)
	return a
}

// VMAnswers reports whether the VM is up, judged by the endpoint that docker should use: something
// makes a TLS handshake there. It may be a dockerd that does not work.
func (f *Finder) VMAnswers(ctx context.Context) bool {
	e := f.ForDocker(ctx)
	return !e.Planned && f.Ask(ctx, e).Leaf != nil
}
