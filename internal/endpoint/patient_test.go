package endpoint

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is two ends of a TCP connection.
func pairOf(t *testing.T) (here, there net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if here, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return here, there
}

func TestPatientConnection(t *testing.T) {
	said := func(t *testing.T, conn net.Conn) {
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	read := func(h *patientConn) (string, error) {
		buf := make([]byte, 16)
		n, err := h.Read(buf)
		return string(buf[:n]), err
	}
	t.Run("answer_that_came_while_nobody_could_look", func(t *testing.T) {
		here, there := pairOf(t)
		said(t, there)
		// Its time is over before the first look.
		if got, err := read(&patientConn{Conn: here, silence: -time.Second}); got != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		here, _ := pairOf(t)
		if got, err := read(&patientConn{Conn: here}); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("no_time_left_for_anything", func(t *testing.T) {
		here, there := pairOf(t)
		said(t, there)
		h := &patientConn{Conn: here, silence: time.Hour}
		if err := h.SetDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if got, err := read(h); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		here, _ := pairOf(t)
		h := &patientConn{Conn: here, silence: time.Hour}
		ended := make(chan error, 1)
		go func() { _, err := read(h); ended <- err }()
		if err := h.SetDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}
