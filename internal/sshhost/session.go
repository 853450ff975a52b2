package sshhost

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"
)

var errNoCommands = errors.New("the server runs no commands")

// denied tells what a server does not want from a connection that is lost.
func (c *Client) denied(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || c.Lost() != nil {
		return err
	}
	if _, refused := errors.AsType[*ssh.OpenChannelError](e.Err); refused || errors.Is(e.Err, errNoCommands) {
		e.Cause = Denied
	}
	return err
}

// sessionTime is how long a server may take to see that a session has ended.
const sessionTime = time.Second

// openSession opens a session. A server that allows only so many at a time (MaxSessions
// in sshd_config(5)) still counts one that we have just closed when it reads both
// messages together: its refusal is believed if it stays.
func (c *Client) openSession(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	patience := time.NewTimer(sessionTime)
	defer patience.Stop()
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		ch, reqs, err := c.open(ctx, "session", nil)
		refusal, refused := errors.AsType[*ssh.OpenChannelError](err)
		if !refused || refusal.Reason == ssh.Prohibited || refusal.Reason == ssh.UnknownChannelType {
			return ch, reqs, err
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-patience.C:
			again.Stop()
			return nil, nil, err
		case <-ctx.Done():
			again.Stop()
			return nil, nil, ctx.Err()
		}
	}
}

// opened is a channel with the requests that come with it.
type opened struct {
	ssh.Channel
	reqs <-chan *ssh.Request
}

// open opens a channel; one that arrives after the context has ended is closed again.
func (c *Client) open(ctx context.Context, kind string, payload []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	o, err := await(ctx, func() (opened, error) {
		ch, reqs, err := c.conn.OpenChannel(kind, payload)
		return opened{ch, reqs}, err
	}, func(o opened) {
		go ssh.DiscardRequests(o.reqs)
		o.Close()
	})
	return o.Channel, o.reqs, err
}

// await waits for f, which knows no context. An f that is given up runs on
// until the connection closes; what it returns then is given to discard.
func await[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil && discard != nil {
				discard(r.v)
			}
		}()
		var zero T
		return zero, ctx.Err()
	}
}

// closeSoon closes without waiting: on a dead connection a close would block as
// long as the keepalive takes to notice. A command that still runs is killed
// where the server knows how (OpenSSH 7.9 and later).
func closeSoon(ch ssh.Channel, running bool) {
	go func() {
		if running {
			ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
		}
		ch.Close()
	}()
}
