// Package sshhost is a docker host reached by SSH: one TCP connection, one
// login, everything multiplexed on it. A burst of logins looks like a
// brute-force attack to intrusion prevention, so there is never a second one.
package sshhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Defaults of Config.
const (
	DefaultTimeout   = 15 * time.Second
	DefaultKeepAlive = 15 * time.Second
)

// Config says how to log in. Nothing is read from the user's ssh configuration
// and no agent is asked: the machine's own key is the only one offered, so an
// agent full of keys cannot use up the server's attempts.
type Config struct {
	// Dial opens the TCP connection, from the laptop.
	Dial func(ctx context.Context) (net.Conn, error)
	// Addr is what errors call the other end, "127.0.0.1:51234".
	Addr string
	User string
	// KeyPEM is the private key, unencrypted: PEM (PKCS #1, PKCS #8, SEC 1) or OpenSSH.
	KeyPEM []byte

	// KnownKey is the pinned host key, one line "ssh-ed25519 AAAA…" as
	// ssh-keyscan prints after the host name. Another key ends the login
	// before the user's key is used.
	KnownKey []byte
	// NewKey is called with such a line when KnownKey is empty; its error ends
	// the login. Without KnownKey and NewKey no login is tried.
	NewKey func(line []byte) error

	// Legacy also offers algorithms that x/crypto/ssh implements but regards as
	// insecure and leaves out by default. It is for a second try, after
	// a first one ended with NoCommonAlgorithm.
	Legacy bool

	// Timeout is for all of dial, handshake and authentication; 0 means DefaultTimeout.
	Timeout time.Duration
	// BannerTimeout is for the server's first line, counted from the TCP
	// connection on, and for each silence after that until it has shown its
	// host key; 0 means Timeout.
	BannerTimeout time.Duration
	// KeepAlive is how often an idle connection is checked, and how long the
	// answer may take; 0 means DefaultKeepAlive, less than 0 means never.
	KeepAlive time.Duration

	// UID is the login user's id on the docker host where that is known, to save
	// the question; nil means that it is asked for when root is first needed.
	UID *int
}

// Client is one SSH connection. It is safe for concurrent use.
type Client struct {
	conn   ssh.Conn
	raw    *meter
	addr   string
	seen   Greeting
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	uid  int // -1 until known
	lost error
}

var _ host.Host = (*Client)(nil)

// Greeting is what the server showed of itself.
type Greeting struct {
	// Ident is the server's identification line, "SSH-2.0-OpenSSH_7.2".
	Ident string
	// Banner is what the server wants users to read before they log in.
	Banner string
	// HostKey is the key as a line, and Fingerprint its "SHA256:…".
	HostKey     []byte
	Fingerprint string
	// Algorithms are those agreed upon; Weak are the insecure ones among them.
	Algorithms []string
	Weak       []string
}

// Dial connects and logs in. An error is an *Error, except for a Config that
// cannot work at all.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Dial == nil || cfg.User == "" {
		return nil, errors.New("ssh: no way to dial, or no user")
	}
	if len(cfg.KnownKey) == 0 && cfg.NewKey == nil {
		return nil, errors.New("ssh: neither a known host key nor a decision about a new one")
	}
	start := time.Now()
	fail := func(stage Stage, cause Cause, err error) *Error {
		return &Error{Stage: stage, Cause: cause, Addr: cfg.Addr, After: time.Since(start), Err: err}
	}
	signer, err := parseKey(cfg.KeyPEM)
	if err != nil {
		return nil, fail(StageKey, BadKey, err)
	}
	pin, err := newPin(cfg.KnownKey, cfg.NewKey)
	if err != nil {
		return nil, fail(StageHostKey, BadKey, err)
	}
	timeout := orDefault(cfg.Timeout, DefaultTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	raw, err := cfg.Dial(ctx)
	if err != nil {
		e := fail(StageDial, causeOf(ctx, err), err)
		if e.Cause == Reset {
			// Whoever accepted hung up before the system had told us that it had.
			e.Stage = StageBanner
		}
		return nil, e
	}
	m := newMeter(raw, orDefault(cfg.BannerTimeout, timeout))
	// The handshake knows no context: an expired one makes every read fail.
	stop := context.AfterFunc(ctx, m.expire)
	defer stop()

	attempt := &attempt{start: start, addr: cfg.Addr, user: cfg.User, key: fingerprint(signer.PublicKey()), meter: m, pin: pin}
	conn, chans, reqs, err := ssh.NewClientConn(m, cfg.Addr, attempt.config(cfg, signer))
	if err == nil && !stop() {
		conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		m.Close()
		return nil, attempt.classify(ctx, err)
	}
	m.established()
	c := &Client{conn: conn, raw: m, addr: cfg.Addr, seen: attempt.greeting(conn), closed: make(chan struct{}), uid: -1}
	if cfg.UID != nil {
		c.uid = *cfg.UID
	} else if cfg.User == "root" {
		c.uid = 0
	}
	go ssh.DiscardRequests(reqs)
	go refuse(chans)
	go c.watch(orDefault(cfg.KeepAlive, DefaultKeepAlive))
	return c, nil
}

// Greeting is what the server showed of itself during the login.
func (c *Client) Greeting() Greeting { return c.seen }

// SetUID tells the login user's id when something else has found it out.
func (c *Client) SetUID(uid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid = uid
}

// Close ends the connection and everything on it. A second Close does nothing.
func (c *Client) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.die(net.ErrClosed)
	// The TCP connection first: a farewell could block on a network that is gone.
	return c.raw.Close()
}

// Lost is closed-over state: nil while the connection is alive, else why it died.
func (c *Client) Lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// SignOfLife is Error.What of Answers.
const SignOfLife = "asking for a sign of life"

// Answers reports whether the server still answers anything on this connection: a
// question of a few bytes, which has to queue behind all that was sent before.
func (c *Client) Answers(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() {
		_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	select {
	case err := <-answer:
		if err == nil {
			return nil
		}
		return c.sessionError(ctx, SignOfLife, err)
	case <-ctx.Done():
		return c.sessionError(ctx, SignOfLife, context.Cause(ctx))
	}
}

// watch asks an idle server now and then whether it is there: NAT tables and
// VPNs drop idle connections without a word to either end.
func (c *Client) watch(every time.Duration) {
	ended := make(chan error, 1)
	go func() { ended <- c.conn.Wait() }()
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	answer := make(chan error, 1)
	asked := false
	for {
		select {
		case <-c.closed:
			c.die(net.ErrClosed)
			return
		case err := <-ended:
			if err == nil {
				err = errors.New("the server ended the connection")
			}
			c.die(err)
			return
		case <-answer:
			asked = false
		case <-tick:
			if asked {
				c.die(fmt.Errorf("no answer to a keepalive for %v: %w", every, context.DeadlineExceeded))
				c.raw.Close()
				return
			}
			asked = true
			go func() {
				_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
				answer <- err
			}()
		}
	}
}

func (c *Client) die(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = err
	}
}

// sessionError is an error on an established connection.
func (c *Client) sessionError(ctx context.Context, what string, err error) error {
	e := &Error{Stage: StageSession, Addr: c.addr, Ident: c.seen.Ident, What: what, After: c.raw.age(), Err: err}
	e.Bytes, e.Sent = c.raw.bytes()
	e.Cause = causeOf(ctx, err)
	if lost := c.Lost(); lost != nil && ctx.Err() == nil {
		e.Cause, e.Err = Closed, lost
		if errors.Is(lost, context.DeadlineExceeded) {
			e.Cause = Timeout
		}
	}
	return e
}

// refuse turns down channels that a server has no business to open.
func refuse(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		ch.Reject(ssh.Prohibited, "not offered")
	}
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
