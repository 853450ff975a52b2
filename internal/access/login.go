package access

import (
	"context"
	"errors"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

const (
	// loginTime bounds a whole login; each silence before the host key has probeTime.
	loginTime = 4 * time.Second
	// upTime is how long a repair waits for sshd's first line where dockerd answers:
	// the VM has been up for long then.
	upTime = 3 * time.Second
	// smallSegment passes every tunnel that carries IPv6, whose links have at least
	// 1280 bytes (RFC 8200, section 5), with room for headers inside of headers.
	smallSegment = 1000
)

// Login is how the docker host was logged in to.
type Login struct {
	Address Address `json:"address"`
	// Legacy reports that outdated algorithms had to be offered, Small that only small
	// TCP segments come through.
	Legacy bool `json:"legacy,omitempty"`
	Small  bool `json:"small,omitempty"`
	// Stalled is how a try with segments of the usual size ended.
	Stalled error `json:"-"`
}

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
			// Only where nothing listens is the next address worth a try: any other failure
			// counts wherever logins are counted.
			var failed *sshhost.Error
			if err == nil || !errors.As(err, &failed) || failed.Stage != sshhost.StageDial {
				break
			}
		}
		return client, err
	})
}

// loginAt logs in at one address. A second connection is made only where the first
// one's failure shows how it would succeed.
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
	how.Small = how.Small && a.canSmall(address)
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
		a.made.Store(&how)
	}
	return client, err
}

// better is the login that a failed one shows to be worth a try.
func (a *Access) better(how Login, err error) (Login, bool) {
	var failed *sshhost.Error
	if !errors.As(err, &failed) {
		return how, false
	}
	switch {
	case failed.Cause == sshhost.NoCommonAlgorithm && failed.Outdated && !how.Legacy:
		how.Legacy = true
		return how, true
	case failed.Stage == sshhost.StageKeyExchange && failed.Cause == sshhost.Timeout && !how.Small && a.canSmall(how.Address):
		how.Small, how.Stalled = true, failed
		return how, true
	}
	return how, false
}

func (a *Access) dial(ctx context.Context, how Login, key, known []byte) (*sshhost.Client, error) {
	silence := max(probeTime, a.Mode().Patience())
	// A diagnosis must not wait for one silence before it listens for another.
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

// canSmall reports whether the size of segments is ours to choose: behind VirtualBox's
// NAT it is not, the connection ends there.
func (a *Access) canSmall(address Address) bool {
	_, ok := a.Laptop.(host.SmallDialer)
	return ok && !address.NAT
}
