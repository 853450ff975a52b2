// Package sshhost is a docker host reached over SSH: one TCP connection and one login,
// which all commands and connections share. Intrusion prevention takes a burst of
// logins for an attack.
package sshhost

import (
	"cmp"
	"context"
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
	// control reports that another program, ssh's ControlMaster, has logged in. It passes on
	// no keepalives.
	control bool

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

	a := &attempt{start: start, addr: cfg.Addr, user: cfg.User, key: ssh.FingerprintSHA256(signer.PublicKey()), tcp: tcp, hostKey: hostKey}
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
