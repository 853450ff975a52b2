// Package sshhost is a docker host that is reached over SSH. All commands and connections share one
// TCP connection and one login, because intrusion prevention takes a burst of logins for an attack.
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

// keepAliveTime is the interval between keepalives, and how long the answer may take.
const keepAliveTime = 15 * time.Second

// Config is how to log in. Neither the user's ssh configuration nor an agent is used. Only the
// machine's own key is offered, because many keys in an agent would use up the server's limit of
// attempts.
type Config struct {
	// Dial opens the TCP connection from the laptop.
	Dial func(ctx context.Context) (net.Conn, error)
	// Addr is the other end's name in errors, "127.0.0.1:51234".
	Addr string
	User string
	// KeyPEM is the private key, unencrypted, in the format PEM (PKCS #1, PKCS #8, SEC 1) or
	// OpenSSH.
	KeyPEM []byte

	// KnownKey is the pinned host key: a line "ssh-ed25519 AAAA…", as ssh-keyscan prints after the
	// host name. If the server has another key, the login ends before the user's key is used.
	KnownKey []byte
	// NewKey is called with the server's key as such a line if KnownKey is empty. If it returns an
	// error, the login ends. One of KnownKey and NewKey must be set.
	NewKey func(line []byte) error

	// Legacy means that the algorithms that x/crypto/ssh calls insecure are offered, too. It is for
	// a second login after NoCommonAlgorithm.
	Legacy bool

	// Timeout is for dialing, handshake and authentication together.
	Timeout time.Duration
	// BannerTimeout is how long the server may be silent before its first line, and at any later
	// time until it has shown its host key; 0 means Timeout.
	BannerTimeout time.Duration

	keepAlive time.Duration // for tests; 0 means keepAliveTime
}

// Client is one SSH connection. It is safe for concurrent use.
type Client struct {
	conn     ssh.Conn
	tcp      *observedConn
	addr     string
	greeting Greeting
	// control means that the connection is that of an ssh ControlMaster, which has logged in and
	// forwards no keepalives.
	control bool

	mu   sync.Mutex
	uid  int           // the login user's; -1 if it is not known yet
	lost error         // why the connection ended; nil while it exists
	done chan struct{} // closed when lost is set
}

var _ host.Host = (*Client)(nil)

// Greeting is what a server revealed about itself during the login.
type Greeting struct {
	// Ident is the server's identification line, "SSH-2.0-OpenSSH_7.2".
	Ident string
	// Weak are the negotiated algorithms that x/crypto/ssh calls insecure.
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
			// The server accepted the connection and closed it before the system call returned.
			e.Stage = StageBanner
		}
		return nil, e
	}
	tcp := observe(raw, cmp.Or(cfg.BannerTimeout, cfg.Timeout))
	// The handshake takes no context. When ctx ends, expire makes it fail.
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

// rejectChannels rejects all channels that the server opens.
func rejectChannels(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		ch.Reject(ssh.Prohibited, "not offered")
	}
}
