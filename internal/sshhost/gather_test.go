package sshhost

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// slowly is a connection that takes one write at a time, each when the test lets it.
type slowly struct {
	sends chan []byte
	err   error
}

func (s *slowly) send(p []byte) (int, error) {
	s.sends <- bytes.Clone(p)
	return len(p), s.err
}

func (s *slowly) next(t *testing.T) string {
	t.Helper()
	select {
	case p := <-s.sends:
		return string(p)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is sent")
		return ""
	}
}

func write(t *testing.T, g *gatherer, text string) {
	t.Helper()
	n, err := g.Write([]byte(text))
	if n != len(text) || err != nil {
		t.Fatalf("wrote %d bytes: %v", n, err)
	}
}

// What is written while the connection is busy goes out together, in order.
func TestGathered(t *testing.T) {
	conn := &slowly{sends: make(chan []byte)}
	g := newGatherer(conn.send)
	var want, got strings.Builder
	for range 100 {
		for _, text := range []string{"a", "bc", "def"} {
			write(t, g, text)
			want.WriteString(text)
		}
	}
	sends := 0
	for ; got.Len() < want.Len(); sends++ {
		got.WriteString(conn.next(t))
	}
	if got.String() != want.String() {
		t.Errorf("sent %q", got.String())
	}
	if sends > 2 {
		t.Errorf("%d system calls for what could go out in two", sends)
	}
}

// A connection that takes nothing stops the writers, and its failure ends their waiting.
func TestGatheredIsBounded(t *testing.T) {
	conn := &slowly{sends: make(chan []byte), err: errors.New("reset")}
	g := newGatherer(conn.send)
	failed := make(chan error)
	written := make(chan int, 100)
	go func() {
		for {
			n, err := g.Write(make([]byte, 32<<10))
			if err != nil {
				failed <- err
				return
			}
			written <- n
		}
	}()
	time.Sleep(100 * time.Millisecond)
	// Four that are being sent, four that wait.
	if most := 2 * maxUnsent / (32 << 10); len(written) > most {
		t.Errorf("%d packets were taken, want %d at most", len(written), most)
	}
	conn.next(t)
	select {
	case err := <-failed:
		if !errors.Is(err, conn.err) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the writer waits for a connection that has failed")
	}
}
