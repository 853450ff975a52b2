package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// DialContext connects from the docker host with the login user's rights: "tcp" to host:port, or
// "unix" to the path of a socket (direct-streamlocal@openssh.com, OpenSSH 6.7 and later). An error
// is an *Error in StageSession. It wraps syscall.ECONNREFUSED or fs.ErrPermission if the server
// says so.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	ch, reqs, err := c.openTo(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs)
	go io.Copy(io.Discard, ch.Stderr())
	return connOf(ch), nil
}

// openTo opens the channel for DialContext.
func (c *Client) openTo(ctx context.Context, network, addr string) (ssh.Channel, <-chan *ssh.Request, error) {
	var kind string
	var payload []byte
	switch network {
	case "tcp":
		h, p, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, nil, fmt.Errorf("ssh: dialing %s: %w", addr, err)
		}
		port, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, nil, fmt.Errorf("ssh: dialing %s: %w", addr, err)
		}
		kind = "direct-tcpip" // RFC 4254, section 7.2
		payload = ssh.Marshal(struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}{h, uint32(port), "127.0.0.1", 0})
	case "unix":
		kind = "direct-streamlocal@openssh.com" // OpenSSH's PROTOCOL, section 2.4
		payload = ssh.Marshal(struct {
			Path     string
			Reserved string
			Zero     uint32
		}{addr, "", 0})
	default:
		return nil, nil, fmt.Errorf("ssh: dialing %s: %w", network, net.UnknownNetworkError(network))
	}
	ch, reqs, err := c.open(ctx, kind, payload)
	if err != nil {
		e := c.sessionError(ctx, "dialing "+network+" "+addr, err)
		if refusal, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
			e.Cause, e.Err = refusedChannel(refusal)
		}
		return nil, nil, e
	}
	return ch, reqs, nil
}

// connOf returns a channel as a net.Conn with deadlines, which x/crypto's channels do not have. If
// either end closes it, both directions end.
func connOf(ch ssh.Channel) net.Conn {
	ours, theirs := net.Pipe()
	go func() {
		io.Copy(theirs, ch)
		theirs.Close()
	}()
	go func() {
		io.Copy(ch, theirs)
		ch.Close()
	}()
	return ours
}

// refusedChannel returns the cause and the error for a refused channel. OpenSSH's message is
// "connect failed" with strerror's text for TCP, and only "open failed" for a socket.
func refusedChannel(e *ssh.OpenChannelError) (Cause, error) {
	message := strings.ToLower(e.Message)
	switch {
	case e.Reason == ssh.Prohibited, strings.Contains(message, "permission denied"):
		return Denied, fmt.Errorf("%w: %w", e, fs.ErrPermission)
	case strings.Contains(message, "refused"):
		return Refused, fmt.Errorf("%w: %w", e, syscall.ECONNREFUSED)
	case strings.Contains(message, "timed out"):
		return Timeout, e
	case strings.Contains(message, "no route"), strings.Contains(message, "unreachable"):
		return Unreachable, e
	}
	return Other, e
}
