package sshhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// SignOfLife is Error.What of an error from CheckAlive.
const SignOfLife = "asking for a sign of life"

// CheckAlive returns nil if the server still answers on this connection. The question has only a
// few bytes. It is sent after all earlier data.
func (c *Client) CheckAlive(ctx context.Context) error {
	if err := c.keepAlive(ctx); err != nil {
		return c.sessionError(ctx, SignOfLife, err)
	}
	return nil
}

// keepAlive sends a request that every server answers, even if it refuses it.
func (c *Client) keepAlive(ctx context.Context) error {
	if c.control {
		// A ControlMaster only forwards channels. A server refuses to open one of a type that it
		// does not know (RFC 4254, section 5.1).
		ch, _, err := c.open(ctx, "keepalive@docker-vpn-helper", nil)
		if _, refused := errors.AsType[*ssh.OpenChannelError](err); refused {
			return nil
		}
		if err == nil {
			ch.Close()
		}
		return err
	}
	_, err := await(ctx, func() (bool, error) {
		ok, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		return ok, err
	}, nil)
	return err
}

// watch sends a keepalive at intervals and closes the connection if there is no answer: NAT tables
// and VPNs may drop idle connections without informing either end.
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

// ended returns why a connection ended.
func ended(err error) error { return cmp.Or(err, errors.New("the server ended the connection")) }
