package endpoint

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// lastLook is how long a silent peer is listened to after its time.
const lastLook = 100 * time.Millisecond

// patientConn is a connection whose peer may say nothing for so long at a time. Before
// that is called silence it is looked at once more: what came while this program
// had no processor has come in time.
type patientConn struct {
	net.Conn
	silence time.Duration

	mu    sync.Mutex
	until time.Time // of all reading; zero is for ever
}

func (h *patientConn) Read(p []byte) (int, error) {
	n, err := h.read(p, h.silence)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !h.over() {
		n, err = h.read(p, lastLook)
	}
	return n, err
}

func (h *patientConn) read(p []byte, silence time.Duration) (int, error) {
	h.mu.Lock()
	end := time.Now().Add(silence)
	if !h.until.IsZero() && h.until.Before(end) {
		end = h.until
	}
	err := h.Conn.SetReadDeadline(end)
	h.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return h.Conn.Read(p)
}

// over reports that the time for everything is over, too.
func (h *patientConn) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.until.IsZero() && !time.Now().Before(h.until)
}

func (h *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(h.SetReadDeadline(t), h.Conn.SetWriteDeadline(t))
}

func (h *patientConn) SetReadDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = t
	return h.Conn.SetReadDeadline(t)
}
