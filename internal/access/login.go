package access

import (
	"context"
	"errors"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

const (
	// loginTime is how long a whole login may take. Before the host key, sshd may be silent for
	// probeTime at a time.
	loginTime = 4 * time.Second
	// upTime is how long a repair waits for sshd's first line if dockerd answers, because then the
	// VM has been up for a while.
	upTime = 3 * time.Second
	// smallSegment is the size of small TCP segments, in bytes. It passes every tunnel that carries
	// IPv6, whose links carry packets of at least 1280 bytes (RFC 8200, section 5), and leaves room
	// for nested headers.
	smallSegment = 1000
)

// Login is how a login was made.
type Login struct {
	Address Address `json:"address"`
	// Legacy means that outdated algorithms had to be offered. Small means that only small TCP
	// segments get through.
	Legacy bool `json:"legacy,omitempty"`
	Small  bool `json:"small,omitempty"`
	// Stalled is how an attempt with segments of the usual size ended; nil if there was none.
	Stalled error `json:"-"`
}

// login returns the remembered connection, or logs in.
func (a *Access) login(ctx context.Context) (*sshhost.Client, error) {
	return a.client.Get(ctx, func() (*sshhost.Client, error) {
		key, err := a.Laptop.ReadFile(ctx, a.Machine.SSHKeyPath)
		if err != nil {
			return nil, &sshhost.Error{Stage: sshhost.StageKey, Cause: sshhost.BadKey, Addr: a.Machine.Name, Err: err}
		}
		addresses := a.Addresses(ctx)
		if len(addresses) == 0 {
			return nil, a.NoAddress(ctx)
		}
		var client *sshhost.Client
		for _, address := range addresses {
			client, err = a.loginAt(ctx, address, key)
			// Try the next address only if nothing listens at this one. Any other failure may count
			// as a failed login on the docker host.
			var failed *sshhost.Error
			if err == nil || !errors.As(err, &failed) || failed.Stage != sshhost.StageDial {
				break
			}
		}
		return client, err
	})
}

// loginAt logs in at one address. It makes a second connection only if the first one's failure
// shows how to succeed.
func (a *Access) loginAt(ctx context.Context, address Address, key []byte) (*sshhost.Client, error) {
	known, err := a.knownHostKey(ctx, key)
	if err != nil {
		return nil, err
	}
	began, before, err := a.admit(ctx, address)
	if err != nil {
		return nil, err
	}
	how := Login{Address: address, Legacy: !before.Legacy.IsZero(), Small: a.smallOnly.Load() || !before.Small.IsZero()}
	how.Small = how.Small && a.canLimitSegments(address)
	client, err := a.dial(ctx, how, key, known)
	if better, ok := a.better(how, err); ok {
		a.recordOutcome(ctx, began, how, err)
		how, began = better, a.recordConnection(ctx, address)
		var second error
		if client, second = a.dial(ctx, how, key, known); second == nil || how.Legacy {
			err = second
		}
	}
	a.recordOutcome(ctx, began, how, err)
	if err == nil {
		a.established.Store(&how)
	}
	return client, err
}

// better returns how a login should be tried again, given the error of the first try; ok is false
// if that would not help.
func (a *Access) better(how Login, err error) (next Login, ok bool) {
	var failed *sshhost.Error
	if !errors.As(err, &failed) {
		return how, false
	}
	switch {
	case failed.Cause == sshhost.NoCommonAlgorithm && failed.Outdated && !how.Legacy:
		how.Legacy = true
		return how, true
	case failed.Stage == sshhost.StageKeyExchange && failed.Cause == sshhost.Timeout && !how.Small && a.canLimitSegments(how.Address):
		how.Small, how.Stalled = true, failed
		return how, true
	}
	return how, false
}

func (a *Access) dial(ctx context.Context, how Login, key, known []byte) (*sshhost.Client, error) {
	silence := max(probeTime, a.Mode().Patience())
	// VMAnswers may wait for an answer itself; a diagnosis does not have the time to do both.
	if a.Mode().IsRepair() && a.VMAnswers(ctx) {
		silence = upTime
	}
	return sshhost.Dial(ctx, sshhost.Config{
		Addr: how.Address.Addr, User: a.Machine.SSHUser, KeyPEM: key, Legacy: how.Legacy,
		KnownKey: known,
		NewKey:   func(line []byte) error { return a.pinHostKey(ctx, line, key) },
		Dial:     a.dialer(how),
		Timeout:  max(loginTime, a.Mode().Patience()), BannerTimeout: silence,
	})
}

// canLimitSegments reports whether the laptop can choose the size of the TCP segments that reach
// the docker host. It cannot behind VirtualBox's NAT, which ends the TCP connection.
func (a *Access) canLimitSegments(address Address) bool {
	_, ok := a.Laptop.(host.SmallDialer)
	return ok && !address.NAT
}
