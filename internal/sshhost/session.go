package sshhost

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"
)

// recountTime is how long a server may take to notice that a session has ended.
const recountTime = time.Second

// openSession opens a session. A server that limits the number of sessions (MaxSessions in
// sshd_config(5)) may still count one that we have just closed. Therefore a refusal is tried again
// for recountTime.
func (c *Client) openSession(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	deadline := time.Now().Add(recountTime)
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		ch, reqs, err := c.open(ctx, "session", nil)
		refusal, refused := errors.AsType[*ssh.OpenChannelError](err)
		if !refused || refusal.Reason == ssh.Prohibited || refusal.Reason == ssh.UnknownChannelType || time.Now().Add(wait).After(deadline) {
			return ch, reqs, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// opened is an open channel and the requests that the server sends on it.
type opened struct {
	ssh.Channel
	reqs <-chan *ssh.Request
}

// open opens a channel. One that the server opens after ctx has ended is closed again.
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

// await calls f, which does not take a context, and waits for it. If ctx ends first, f keeps
// running until the connection closes, and discard gets its result; discard may be nil.
func await[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil && discard != nil {
				discard(r.value)
			}
		}()
		var zero T
		return zero, ctx.Err()
	}
}

// closeSession closes a session without waiting: on a dead connection, closing blocks until the
// keepalive fails. If the command is still running, it is killed, if the server supports that
// (OpenSSH 7.9 and later).
func closeSession(ch ssh.Channel, running bool) {
	go func() {
		if running {
			ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
		}
		ch.Close()
	}()
}
