package world

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/logins"
)

// Knock is what sshd does at a second door, after the first one was cut: it
// tells a ban of one source address from an sshd that is not well.
type Knock struct {
	Addr string `json:"addr,omitempty"` // empty: not tried
	// Refused: nobody listens, or somebody says so. Connected: the TCP connection
	// was made; without an Ident it was closed, or nothing came.
	Refused   bool   `json:"refused,omitempty"`
	Connected bool   `json:"connected,omitempty"`
	Closed    bool   `json:"closed,omitempty"`
	Ident     string `json:"ident,omitempty"`
}

// Knock connects to sshd at the host-only address and waits for its first line,
// for half of ProbeTime. Nothing is sent. It is the one more connection that a run
// makes where it looks as if it was banned.
func (w *World) Knock(ctx context.Context, doors []Door) Knock {
	for _, door := range doors {
		if door.NAT {
			continue
		}
		a := w.note(ctx, door)
		k := w.knock(ctx, door.Addr)
		w.keep(ctx, door, func(l *logins.Ledger) {
			switch {
			case k.Refused:
				l.Drop(a.began)
			case k.Ident != "":
				l.Answer(a.began, false)
			}
		})
		return k
	}
	return Knock{}
}

func (w *World) knock(ctx context.Context, addr string) Knock {
	k := Knock{Addr: addr}
	ctx, cancel := context.WithTimeout(ctx, ProbeTime/2)
	defer cancel()
	conn, err := w.Laptop.DialContext(ctx, "tcp", addr)
	if err != nil {
		k.Refused = errors.Is(err, syscall.ECONNREFUSED)
		return k
	}
	defer conn.Close()
	k.Connected = true
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetReadDeadline(deadline)
	}
	var head []byte
	buf := make([]byte, 256)
	for len(head) < 1024 && !bytes.ContainsRune(head, '\n') {
		n, err := conn.Read(buf)
		head = append(head, buf[:n]...)
		if err != nil {
			var timeout net.Error
			k.Closed = errors.Is(err, io.EOF) || !(errors.As(err, &timeout) && timeout.Timeout())
			break
		}
	}
	if line, _, ok := bytes.Cut(head, []byte("\n")); ok && bytes.HasPrefix(line, []byte("SSH-")) {
		k.Ident = string(bytes.ToValidUTF8(bytes.TrimRight(line, "\r"), []byte("?")))
	}
	return k
}
