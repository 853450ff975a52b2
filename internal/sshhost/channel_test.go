package sshhost

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestDialThroughTheDockerHost(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	sock := filepath.Join(s.dir, "sock")
	unix, err := net.Listen("unix", sock)
	check(t, err)
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer tcp.Close()
	for name, l := range map[string]net.Listener{"unix": unix, "tcp": tcp} {
		t.Run(name, func(t *testing.T) {
			conn, err := c.DialContext(t.Context(), name, l.Addr().String())
			check(t, err)
			defer conn.Close()
			there, err := l.Accept()
			check(t, err)
			defer there.Close()

			// Nothing comes: the deadline ends the read, and the connection lives on.
			conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
			conn.SetReadDeadline(time.Time{})

			conn.Write([]byte("ping"))
			question := make([]byte, 4)
			_, err = io.ReadFull(there, question)
			check(t, err)
			there.Write([]byte("pong:" + string(question)))
			there.Close()
			answer, err := io.ReadAll(conn)
			check(t, err)
			if string(answer) != "pong:ping" {
				t.Errorf("%q", answer)
			}
		})
	}
	t.Run("write_deadline_when_nobody_reads", func(t *testing.T) {
		conn, err := c.DialContext(t.Context(), "tcp", tcp.Addr().String())
		check(t, err)
		defer conn.Close()
		conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		block := make([]byte, 1<<20)
		for range 100 {
			if _, err = conn.Write(block); err != nil {
				break
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closed_while_reading", func(t *testing.T) {
		conn, err := c.DialContext(t.Context(), "unix", sock)
		check(t, err)
		time.AfterFunc(50*time.Millisecond, func() { conn.Close() })
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody_listens", func(t *testing.T) {
		_, err := c.DialContext(t.Context(), "unix", filepath.Join(s.dir, "nothing"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Cause != Refused || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
	})
}
