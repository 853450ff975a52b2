package relay

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair is a connection's two ends.
func pair(t *testing.T, network string) (ours, peer Stream) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{c, s} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return s.(Stream), c.(Stream)
}

// opaque hides what is special about a connection, as a TLS or SSH stream does.
type opaque struct{ Stream }

// joined is a relay and the peers on its two sides.
func joined(t *testing.T, hide bool) (a, b Stream, result <-chan Result) {
	t.Helper()
	ourA, a := pair(t, "tcp")
	ourB, b := pair(t, "unix")
	if hide {
		ourA, ourB = opaque{ourA}, opaque{ourB}
	}
	done := make(chan Result, 1)
	go func() { done <- Join(ourA, ourB) }()
	return a, b, done
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

// One side ends its direction, and then still gets all that the other has to send.
func TestHalfClose(t *testing.T) {
	for _, hide := range []bool{false, true} {
		a, b, done := joined(t, hide)
		for _, end := range []struct {
			from, to Stream
			data     []byte
		}{{a, b, noise(1 << 20)}, {b, a, noise(300 << 10)}} {
			go func() {
				_, _ = end.from.Write(end.data[:1])
				_, _ = end.from.Write(end.data[1:])
				_ = end.from.CloseWrite()
			}()
			got, err := io.ReadAll(end.to)
			if err != nil || !bytes.Equal(got, end.data) {
				t.Fatalf("hide %t: got %d bytes of %d: %v", hide, len(got), len(end.data), err)
			}
		}
		if r := <-done; r != (Result{AToB: 1 << 20, BToA: 300 << 10}) {
			t.Errorf("hide %t: result %+v", hide, r)
		}
	}
}

// A stream that breaks must not look to the other side like one that has ended.
func TestFailureIsAReset(t *testing.T) {
	a, b, done := joined(t, false)
	a2, b2, done2 := joined(t, false)
	_, _ = b.Write([]byte("half a "))
	if _, err := io.ReadFull(a, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	_ = a.(*net.TCPConn).SetLinger(0)
	a.Close()
	if r := <-done; !errors.Is(r.Err, syscall.ECONNRESET) || r.BToA != 7 {
		t.Errorf("result %+v", r)
	}
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("the other side is not closed")
	}

	// A unix socket that is closed with unread data is reset (unix(7)).
	_, _ = a2.Write([]byte("unread"))
	time.Sleep(50 * time.Millisecond)
	b2.Close()
	if _, err := a2.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the TCP peer reads %v, want a reset", err)
	}
	<-done2
}

// A server that answers early and reads no more: the answer arrives.
func TestPeerReadsNoMore(t *testing.T) {
	a, b, done := joined(t, false)
	_ = b.(*net.UnixConn).CloseRead()
	go func() { _, _ = a.Write(noise(8 << 20)) }()
	time.Sleep(20 * time.Millisecond)
	_, _ = b.Write([]byte("too large"))
	got := make([]byte, 9)
	if _, err := io.ReadFull(a, got); err != nil || string(got) != "too large" {
		t.Errorf("got %q, %v", got, err)
	}
	b.Close()
	<-done
}

// The owner ends a relay by closing a stream.
func TestClosedByOwner(t *testing.T) {
	ourA, a := pair(t, "tcp")
	ourB, b := pair(t, "tcp")
	done := make(chan Result, 1)
	go func() { done <- Join(opaque{ourA}, ourB) }()
	ourB.Close()
	if r := <-done; !errors.Is(r.Err, net.ErrClosed) {
		t.Errorf("result %+v", r)
	}
	for _, peer := range []Stream{a, b} {
		if _, err := peer.Read(make([]byte, 1)); err == nil {
			t.Error("a side is still open")
		}
	}
}
