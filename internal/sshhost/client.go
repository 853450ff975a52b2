package sshhost

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Greeting returns what the server revealed about itself during the login.
func (c *Client) Greeting() Greeting { return c.greeting }

// Close closes the connection and everything on it.
func (c *Client) Close() {
	c.setLost(net.ErrClosed)
	// It only closes the TCP connection: SSH's own disconnect message could block on a dead
	// network.
	c.tcp.Close()
}

// Lost returns nil while the connection exists, or else why it ended.
func (c *Client) Lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Done returns a channel that is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

func (c *Client) setLost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = err
		close(c.done)
	}
}

// sessionError returns the *Error for err on an established connection. what is what was being
// done.
func (c *Client) sessionError(ctx context.Context, what string, err error) *Error {
	e := &Error{Stage: StageSession, Cause: causeOf(ctx, err), Addr: c.addr, Ident: c.greeting.Ident, What: what, After: time.Since(c.tcp.start), Err: err}
	e.Received, e.Sent = c.tcp.counts()
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
