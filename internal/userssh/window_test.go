package userssh

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
)

// written is a connection that keeps what is written.
type written struct {
	net.Conn
	bytes.Buffer
}

func (w *written) Read(p []byte) (int, error)  { return w.Buffer.Read(p) }
func (w *written) Write(p []byte) (int, error) { return w.Buffer.Write(p) }

// message is a message of SSH without padding.
func message(kind byte, body ...byte) []byte {
	m := binary.BigEndian.AppendUint32(nil, uint32(len(body)+2))
	return append(append(m, 0, kind), body...)
}

// opens is a message that opens a channel.
func opens(window uint32) []byte {
	body := append(binary.BigEndian.AppendUint32(nil, 7), "session"...)
	body = binary.BigEndian.AppendUint32(body, 3)
	body = binary.BigEndian.AppendUint32(body, window)
	return message(channelOpen, append(body, "the rest"...)...)
}

// Streams share a window, wherever in a Write their messages are; all else stays as it is.
func TestStreamsShareAWindow(t *testing.T) {
	other := message(94, []byte("data that looks like Z\x5a\x00\x00")...)
	for streams, want := range map[int64]uint32{0: 1 << 20, 1: 1 << 20, 2: 1 << 19, 8: 128 << 10, 100: 128 << 10} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			w := &written{}
			c := newControlConn(w)
			c.streams.Store(streams)
			p := bytes.Join([][]byte{other, opens(2 << 20), other, opens(2 << 20), message(99), {0, 0}}, nil)
			before := bytes.Clone(p)
			n, err := c.Write(p)
			if n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if !bytes.Equal(p, before) {
				t.Error("the caller's bytes have changed")
			}
			if got := bytes.Join([][]byte{other, opens(want), other, opens(want), message(99), {0, 0}}, nil); !bytes.Equal(got, w.Bytes()) {
				t.Errorf("%q\nwant %q", w.Bytes(), got)
			}
		})
	}
	w := &written{}
	for _, short := range [][]byte{nil, {0}, {0, 0, 0, 2, 0, channelOpen}, {0, 0, 0, 9, 0, channelOpen, 255, 255, 255, 255, 1, 2, 3}} {
		w.Reset()
		if n, err := newControlConn(w).Write(short); n != len(short) || err != nil || !bytes.Equal(short, w.Bytes()) {
			t.Errorf("%q: %d, %v, %q", short, n, err, w.Bytes())
		}
	}
}
