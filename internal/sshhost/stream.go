package sshhost

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// confirmTime is how long the server may take to answer whether a stream has really ended.
const confirmTime = 2 * time.Second

// ErrCutOff is the end of a stream whose SSH connection was lost: what was read is not all.
var ErrCutOff = errors.New("the SSH connection was lost")

// Open connects as DialContext does. The stream is the SSH channel itself: it has no
// deadlines, each direction ends by itself, and it is fast.
func (c *Client) Open(ctx context.Context, network, addr string) (relay.Stream, error) {
	c.tcp.gather()
	ch, reqs, err := c.openTo(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &stream{Channel: ch, client: c, reqs: reqs}, nil
}

// stream is a channel that distinguishes the end of data from a lost connection.
type stream struct {
	ssh.Channel
	client *Client
	reqs   <-chan *ssh.Request // a server sends none on such a channel
}

// Read implements io.Reader. A stream that the connection's loss has cut off ends with
// ErrCutOff.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Channel.Read(p)
	if errors.Is(err, io.EOF) && s.cutOff() {
		err = ErrCutOff
	}
	return n, err
}

// cutOff reports whether the channel has ended because the connection did. x/crypto/ssh
// ends all channels with an io.EOF then.
func (s *stream) cutOff() bool {
	if s.client.tcp.firstError() != nil || s.client.Lost() != nil {
		return true
	}
	if s.client.control {
		return false // ssh's own connection ends ssh
	}
	select {
	case <-s.reqs:
		// Closed: either the server has closed the channel, or it has ended the connection
		// in an orderly way. Only a server that is still there answers.
	default:
		return false // the end of data, on a channel that is open
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	return s.client.keepAlive(ctx) != nil
}
