// Package sshhost is a docker host reached over SSH: one TCP connection and one login,
// which all commands and connections share. Intrusion prevention takes a burst of
// logins for an attack.
package sshhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// keepAliveTime is how often a connection is checked, and how long the answer may take.
const keepAliveTime = 15 * time.Second

// Config is how to log in. Neither the user's ssh configuration nor an agent is used:
// only the machine's own key is offered, because an agent full of keys would use up the
// server's attempts.
type Config struct {
	// Dial opens the TCP connection, from the laptop.
	Dial func(ctx context.Context) (net.Conn, error)
	// Addr is how errors name the other end, "127.0.0.1:51234".
	Addr string
	User string
	// KeyPEM is the private key, unencrypted: PEM (PKCS #1, PKCS #8, SEC 1) or OpenSSH.
	KeyPEM []byte

	// KnownKey is the pinned host key, one line "ssh-ed25519 AAAA…" as
	// ssh-keyscan prints after the host name. Another key ends the login
	// before the user's key is used.
	KnownKey []byte
	// NewKey is called with such a line where KnownKey is empty; its error ends
	// the login. Without KnownKey and NewKey no login is tried.
	NewKey func(line []byte) error

	// Legacy also offers the algorithms that x/crypto/ssh calls insecure. It is for a
	// second login, after a first one ended with NoCommonAlgorithm.
	Legacy bool

	// Timeout is for all of dial, handshake and authentication.
	Timeout time.Duration
	// BannerTimeout is for the server's first line, counted from the TCP
	// connection on, and for each silence after that until it has shown its
	// host key; 0 means Timeout.
	BannerTimeout time.Duration

	keepAlive time.Duration // for tests; 0 means keepAliveTime
}

// Client is one SSH connection. It is safe for concurrent use.
type Client struct {
	conn     ssh.Conn
	tcp      *observedConn
	addr     string
	greeting Greeting

	mu   sync.Mutex
	uid  int // of the login user; -1 until known
	lost error
	done chan struct{} // closed when lost is set
}

var _ host.Host = (*Client)(nil)

// Greeting is what the server showed of itself during the login.
type Greeting struct {
	// Ident is the server's identification line, "SSH-2.0-OpenSSH_7.2".
	Ident string
	// Weak are the algorithms agreed upon that x/crypto/ssh calls insecure.
	Weak []string
}

// Dial connects and logs in. An error is an *Error.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	start := time.Now()
	fail := func(stage Stage, cause Cause, err error) *Error {
		return &Error{Stage: stage, Cause: cause, Addr: cfg.Addr, After: time.Since(start), Err: err}
	}
	signer, err := parseKey(cfg.KeyPEM)
	if err != nil {
		return nil, fail(StageKey, BadKey, err)
	}
	hostKey, err := newHostKeyCheck(cfg)
	if err != nil {
		return nil, fail(StageHostKey, BadKey, err)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()

	raw, err := cfg.Dial(ctx)
	if err != nil {
		e := fail(StageDial, causeOf(ctx, err), err)
		if e.Cause == Reset {
			// The server accepted and hung up before the system call returned.
			e.Stage = StageBanner
		}
		return nil, e
	}
	tcp := observe(raw, cmp.Or(cfg.BannerTimeout, cfg.Timeout))
	// The handshake does not know the context: an expired one makes every read fail.
	stop := context.AfterFunc(ctx, tcp.expire)
	defer stop()

	a := &attempt{start: start, addr: cfg.Addr, user: cfg.User, key: fingerprint(signer.PublicKey()), tcp: tcp, hostKey: hostKey}
	conn, chans, reqs, err := ssh.NewClientConn(tcp, cfg.Addr, a.config(cfg, signer))
	if err == nil && !stop() {
		conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		tcp.Close()
		return nil, a.classify(ctx, err)
	}
	tcp.liftDeadlines()
	c := &Client{conn: conn, tcp: tcp, addr: cfg.Addr, greeting: a.greeting(conn), uid: -1, done: make(chan struct{})}
	if cfg.User == "root" {
		c.uid = 0
	}
	go ssh.DiscardRequests(reqs)
	go rejectChannels(chans)
	go c.watch(cmp.Or(cfg.keepAlive, keepAliveTime))
	return c, nil
}

// rejectChannels refuses what a server has no business to open.
func rejectChannels(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		ch.Reject(ssh.Prohibited, "not offered")
	}
}

// Greeting is what the server showed of itself during the login.
func (c *Client) Greeting() Greeting { return c.greeting }

// Close ends the connection and everything on it.
func (c *Client) Close() {
	c.setLost(net.ErrClosed)
	// Only the TCP connection: SSH's own farewell could block on a network that is gone.
	c.tcp.Close()
}

// Lost is nil while the connection is alive, else why it ended.
func (c *Client) Lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

func (c *Client) setLost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = err
		close(c.done)
	}
}

// SignOfLife is Error.What of CheckAlive.
const SignOfLife = "asking for a sign of life"

// CheckAlive is nil if the server still answers on this connection. The question has a
// few bytes and queues behind all that was sent before.
func (c *Client) CheckAlive(ctx context.Context) error {
	if err := c.keepAlive(ctx); err != nil {
		return c.sessionError(ctx, SignOfLife, err)
	}
	return nil
}

// keepAlive sends a request that every server answers, if only with a refusal.
func (c *Client) keepAlive(ctx context.Context) error {
	_, err := await(ctx, func() (bool, error) {
		ok, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		return ok, err
	}, nil)
	return err
}

// watch notices a connection that has ended: NAT tables and VPNs drop idle connections
// without a word to either end.
func (c *Client) watch(every time.Duration) {
	closed := make(chan error, 1)
	go func() { closed <- c.conn.Wait() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case err := <-closed:
			c.setLost(ended(err))
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), every)
		if err := c.keepAlive(ctx); errors.Is(err, context.DeadlineExceeded) {
			c.setLost(fmt.Errorf("no answer to a keepalive for %v: %w", every, err))
			c.tcp.Close()
		}
		cancel()
	}
}

// ended is why a connection ended.
func ended(err error) error { return cmp.Or(err, errors.New("the server ended the connection")) }

// sessionError describes an error on an established connection. what is what was being
// done.
func (c *Client) sessionError(ctx context.Context, what string, err error) *Error {
	e := &Error{Stage: StageSession, Cause: causeOf(ctx, err), Addr: c.addr, Ident: c.greeting.Ident, What: what, After: c.tcp.age(), Err: err}
	e.Bytes, e.Sent = c.tcp.counts()
	lost := c.Lost()
	_, refused := errors.AsType[*ssh.OpenChannelError](err)
	switch {
	case lost != nil && ctx.Err() == nil:
		e.Cause, e.Err = Closed, lost
		if errors.Is(lost, context.DeadlineExceeded) {
			e.Cause = Timeout
		}
	case lost == nil && (refused || errors.Is(err, errNoCommands)):
		e.Cause = Denied
	}
	return e
}
