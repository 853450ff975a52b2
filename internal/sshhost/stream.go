package sshhost

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// confirmTime is how long the server may take to confirm that it is still there after a stream
// ended.
const confirmTime = 2 * time.Second

// ErrCutOff means that a stream ended because the SSH connection was lost, so that data may be
// missing.
var ErrCutOff = errors.New("the SSH connection was lost")

// Open connects like DialContext, but returns the SSH channel itself. It has no deadlines, its two
// directions can be closed separately, and it is faster.
func (c *Client) Open(ctx context.Context, network, addr string) (relay.Stream, error) {
	c.tcp.gather()
	ch, reqs, err := c.openTo(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &stream{Channel: ch, client: c, reqs: reqs}, nil
}

// stream is a channel that distinguishes the end of the data from a lost connection.
type stream struct {
	ssh.Channel
	client *Client
	reqs   <-chan *ssh.Request // is closed with the channel; a server sends no requests on it
}

// Read implements io.Reader. If the loss of the connection ended the stream, it returns ErrCutOff
// instead of io.EOF.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Channel.Read(p)
	if errors.Is(err, io.EOF) && s.cutOff() {
		err = ErrCutOff
	}
	return n, err
}

// cutOff reports whether the channel ended because the connection did. x/crypto/ssh reports both as
// io.EOF.
func (s *stream) cutOff() bool {
	if s.client.tcp.firstError() != nil || s.client.Lost() != nil {
		return true
	}
	if s.client.control {
		return false // ssh exits when its connection is lost, which Lost reports
	}
	select {
	case <-s.reqs:
		// It is closed: the server has closed either this channel or the connection. If it still
		// answers, it was the channel.
	default:
		return false // the data has ended, but the channel is open
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	return s.client.keepAlive(ctx) != nil
}
