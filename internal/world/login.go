package world

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

const (
	// loginTime bounds a whole login; each silence before the host key has ProbeTime.
	loginTime = 4 * time.Second
	// aliveTime is how long a repair waits for sshd's first line where dockerd
	// answers: the VM has been up for long then.
	aliveTime = 3 * time.Second
	// smallSegment passes every tunnel that carries IPv6, whose links have at least
	// 1280 bytes (RFC 8200, section 5), with room for headers inside of headers.
	smallSegment = 1000
)

// Login is how the docker host was logged in to.
type Login struct {
	Door Door `json:"door"`
	// Legacy says that outdated algorithms had to be offered, Small that only small
	// TCP segments come through.
	Legacy bool `json:"legacy,omitempty"`
	Small  bool `json:"small,omitempty"`
	// Stalled is what a try with segments of the usual size came to.
	Stalled error `json:"-"`
}

// Login is how the connection was made; the zero value before there is one.
func (w *World) Login() Login {
	if l := w.made.Load(); l != nil {
		return *l
	}
	return Login{}
}

func (w *World) login(ctx context.Context) (*sshhost.Client, error) {
	return w.ssh.Get(ctx, func() (*sshhost.Client, error) {
		key, err := w.Laptop.ReadFile(ctx, w.Machine.SSHKeyPath)
		if err != nil {
			return nil, &sshhost.Error{Stage: sshhost.StageKey, Cause: sshhost.BadKey, Addr: w.Machine.Name, Err: err}
		}
		doors := w.Doors(ctx)
		if len(doors) == 0 {
			return nil, errors.New("neither a forwarded SSH port nor an address is known")
		}
		var client *sshhost.Client
		for _, door := range doors {
			client, err = w.enter(ctx, door, key)
			// Only where nobody listens is the next door worth a try: any other
			// failure has been seen by whoever counts logins.
			var failed *sshhost.Error
			if err == nil || !errors.As(err, &failed) || failed.Stage != sshhost.StageDial {
				break
			}
		}
		return client, err
	})
}

// enter logs in by one door. A second connection is made only where the first
// one's failure says how it would succeed.
func (w *World) enter(ctx context.Context, door Door, key []byte) (*sshhost.Client, error) {
	known, err := w.knownHostKey(ctx, key)
	if err != nil {
		return nil, err
	}
	admission, err := w.admit(ctx, door)
	if err != nil {
		return nil, err
	}
	how := Login{Door: door, Legacy: !admission.ledger.Legacy.IsZero(), Small: w.smallOnly.Load() || !admission.ledger.Small.IsZero()}
	how.Small = how.Small && w.canSmall(door)
	client, err := w.dial(ctx, how, key, known)
	var failed *sshhost.Error
	if errors.As(err, &failed) {
		again := how
		switch {
		case failed.Cause == sshhost.NoCommonAlgorithm && failed.Outdated && !how.Legacy:
			again.Legacy = true
		case failed.Stage == sshhost.StageKeyExchange && failed.Cause == sshhost.Timeout && !how.Small && w.canSmall(door):
			again.Small, again.Stalled = true, failed
		}
		if again != how {
			w.settle(ctx, door, admission, how, err)
			how, admission = again, w.note(ctx, door)
			var second error
			if client, second = w.dial(ctx, how, key, known); second == nil || how.Legacy {
				err = second
			}
		}
	}
	w.settle(ctx, door, admission, how, err)
	if err == nil {
		w.made.Store(&how)
	}
	return client, err
}

func (w *World) dial(ctx context.Context, how Login, key, known []byte) (*sshhost.Client, error) {
	silence := max(ProbeTime, w.Patience)
	if w.Repairing() { // a diagnosis must not wait for one silence before it listens for another
		if target := w.Target(ctx); !target.Planned && w.Ask(ctx, target).Leaf != nil {
			silence = aliveTime
		}
	}
	return sshhost.Dial(ctx, sshhost.Config{
		Addr: how.Door.Addr, User: w.Machine.SSHUser, KeyPEM: key, Legacy: how.Legacy,
		KnownKey: known,
		NewKey: func(line []byte) error {
			return w.pinHostKey(ctx, line, key)
		},
		Dial: func(ctx context.Context) (net.Conn, error) {
			if small, ok := w.Laptop.(host.SmallDialer); ok && how.Small {
				return small.DialSmall(ctx, how.Door.Addr, smallSegment)
			}
			return w.Laptop.DialContext(ctx, "tcp", how.Door.Addr)
		},
		Timeout: max(loginTime, w.Patience), BannerTimeout: silence,
	})
}

// canSmall says whether the size of segments is ours to choose: behind
// VirtualBox's NAT it is not, the connection ends there.
func (w *World) canSmall(door Door) bool {
	_, ok := w.Laptop.(host.SmallDialer)
	return ok && !door.NAT
}

// askHost runs a question that takes long enough and says enough to show whether
// the connection carries it. One that has been silent for ProbeTime is asked for a
// sign of life, which tells a docker host that thinks from a path that loses large
// packets; there the question is asked once more in small ones, if that can be.
func (w *World) askHost(ctx context.Context, question host.Cmd) (host.Output, error) {
	c, err := w.SSH(ctx)
	if err != nil {
		return host.Output{}, err
	}
	out, err := patiently(ctx, c, question)
	var stalled *sshhost.Error
	how := w.Login()
	if !errors.As(err, &stalled) || stalled.Cause != sshhost.Timeout || ctx.Err() != nil || how.Small || !w.canSmall(how.Door) || !w.redialed.CompareAndSwap(false, true) {
		return out, err
	}
	c.Close()
	w.smallOnly.Store(true)
	w.ssh.Forget()
	// The end of a diagnosis would take with it what has been found out.
	soon, cancel := context.WithCancel(ctx)
	if end, ok := ctx.Deadline(); ok {
		soon, cancel = context.WithDeadline(ctx, end.Add(-ProbeTime/10))
	}
	defer cancel()
	c, small := w.login(ctx)
	if small == nil {
		if out, small = patiently(soon, c, question); small == nil {
			how = w.Login()
			how.Stalled = stalled
			w.made.Store(&how)
			return out, nil
		}
	}
	return out, &SilenceError{First: stalled, Small: small}
}

// SilenceError is a connection that fell silent, and one with small packets that came to
// nothing either: it is not their size.
type SilenceError struct {
	First *sshhost.Error
	Small error
}

func (e *SilenceError) Error() string {
	return e.First.Error() + "; then with small packets: " + e.Small.Error()
}
func (e *SilenceError) Unwrap() error { return e.First }

func patiently(ctx context.Context, c *sshhost.Client, question host.Cmd) (host.Output, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answered := make(chan struct{})
	watching := make(chan error, 1)
	go func() {
		watching <- func() error {
			timer := time.NewTimer(ProbeTime)
			defer timer.Stop()
			select {
			case <-answered:
				return nil
			case <-timer.C:
			}
			ask, done := context.WithTimeout(ctx, ProbeTime/2)
			defer done()
			err := c.Answers(ask)
			if err != nil {
				cancel(err)
			}
			return err
		}()
	}()
	out, err := c.Run(ctx, question)
	close(answered)
	if silent := <-watching; err != nil && silent != nil {
		err = silent
	}
	return out, err
}

// refusedHere says that nobody listens on the laptop itself.
func refusedHere(door Door, err error) bool {
	return door.NAT && errors.Is(err, syscall.ECONNREFUSED)
}
