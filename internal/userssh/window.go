package userssh

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync/atomic"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

const (
	// sharedWindow is about how many bytes the server may send on all streams before they are
	// read. Whatever the ControlMaster cannot pass on at once, it copies again with each packet
	// that arrives: 16 MB that wait cost it 20 times the processor time of 1 MB (measured with
	// OpenSSH 9.2). x/crypto/ssh lets the server send 2 MB on each stream.
	sharedWindow = 1 << 20
	// minWindow is the least for one stream: x/crypto/ssh lets the server send more once 96 KB
	// have been read.
	minWindow = 128 << 10
	// channelOpen is SSH_MSG_CHANNEL_OPEN (RFC 4254, section 9).
	channelOpen = 90
)

// controlConn is the connection to a ControlMaster. Streams that are opened on it share a window.
type controlConn struct {
	net.Conn
	reader  *bufio.Reader
	streams atomic.Int64 // that are open
}

func newControlConn(conn net.Conn) *controlConn {
	return &controlConn{Conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}
}

func (c *controlConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// Write sends messages, and gives each new channel its share of the window. x/crypto/ssh never
// splits a message between two calls of Write.
func (c *controlConn) Write(p []byte) (int, error) {
	for at := 0; at+4 <= len(p); at += 4 + int(binary.BigEndian.Uint32(p[at:])) {
		if window := windowAt(p[at:]); window > 0 {
			p = slices.Clone(p)
			share := sharedWindow / uint32(max(1, c.streams.Load()))
			binary.BigEndian.PutUint32(p[at+window:], max(minWindow, share))
		}
	}
	return c.Conn.Write(p)
}

// windowAt returns the offset of the window in a message that opens a channel, or 0 for any other
// message. Such a message consists of its length, the length of its padding, its type, the kind of
// channel (a string), a number, and the window (OpenSSH's PROTOCOL.mux, section 9; RFC 4254, section 5.1).
func windowAt(message []byte) int {
	if len(message) < 10 || message[5] != channelOpen {
		return 0
	}
	window := 14 + int(binary.BigEndian.Uint32(message[6:]))
	if window+4 > len(message) {
		return 0
	}
	return window
}

// Open connects from the docker host as sshhost's Open does.
func (c *Conn) Open(ctx context.Context, network, addr string) (relay.Stream, error) {
	c.control.streams.Add(1)
	s, err := c.Client.Open(ctx, network, addr)
	if err != nil {
		c.control.streams.Add(-1)
		return nil, err
	}
	return &stream{Stream: s, open: &c.control.streams}, nil
}

// stream is one that is counted while it is open.
type stream struct {
	relay.Stream
	open   *atomic.Int64
	closed atomic.Bool
}

func (s *stream) Close() error {
	if s.closed.CompareAndSwap(false, true) {
		s.open.Add(-1)
	}
	return s.Stream.Close()
}
