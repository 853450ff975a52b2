package sshhost

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Control returns a Client that uses the connection of an OpenSSH ControlMaster over its socket
// conn. The ssh program has logged in, and handles the keys, the user's configuration and the
// keepalives. addr is the other end's name in errors. On an error Control closes conn.
func Control(ctx context.Context, conn net.Conn, addr string) (*Client, error) {
	type connected struct {
		conn  ssh.Conn
		chans <-chan ssh.NewChannel
		reqs  <-chan *ssh.Request
	}
	observed := &observedConn{Conn: conn, start: time.Now(), released: true}
	o, err := await(ctx, func() (connected, error) {
		c, chans, reqs, err := ssh.NewControlClientConn(observed)
		return connected{c, chans, reqs}, err
	}, nil)
	if err != nil {
		conn.Close()
		return nil, &Error{Stage: StageSession, Cause: causeOf(ctx, err), Addr: addr, What: "asking the ControlMaster for a connection", Err: err}
	}
	c := &Client{conn: o.conn, tcp: observed, addr: addr, control: true, uid: -1, done: make(chan struct{})}
	go ssh.DiscardRequests(o.reqs)
	go rejectChannels(o.chans)
	go func() { c.setLost(ended(o.conn.Wait())) }()
	return c, nil
}
