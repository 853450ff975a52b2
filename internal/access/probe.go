package access

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Probe is what sshd does at the docker host's own address after a cut-off behind NAT. It
// distinguishes a ban of the NAT's source address from an sshd that does not work.
type Probe struct {
	Addr string `json:"addr,omitempty"` // "" if it was not tried
	// Connected means that the connection was accepted. Then sshd sent Ident, closed the connection
	// (Closed), or sent nothing.
	Refused   bool   `json:"refused,omitempty"`
	Connected bool   `json:"connected,omitempty"`
	Closed    bool   `json:"closed,omitempty"`
	Ident     string `json:"ident,omitempty"` // sshd's first line
}

// ProbeDirect connects to sshd at the docker host's own address and waits for its first line, for
// half of probeTime. It sends nothing. It is the one additional connection of a run that was
// probably banned.
func (a *Access) ProbeDirect(ctx context.Context, addresses []Address) Probe {
	for _, address := range addresses {
		if address.NAT {
			continue
		}
		began := a.recordConnection(ctx, address)
		p := a.probe(ctx, address.Addr)
		a.record(ctx, address, func(h *history) {
			switch {
			case p.Refused:
				h.drop(began)
			case p.Ident != "":
				h.answered(began)
			}
		})
		return p
	}
	return Probe{}
}

func (a *Access) probe(ctx context.Context, addr string) Probe {
	p := Probe{Addr: addr}
	ctx, cancel := context.WithTimeout(ctx, probeTime/2)
	defer cancel()
	conn, err := a.Laptop.DialContext(ctx, "tcp", addr)
	if err != nil {
		p.Refused = errors.Is(err, syscall.ECONNREFUSED)
		return p
	}
	defer conn.Close()
	p.Connected = true
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline)
	}
	head, err := readLine(conn)
	if err != nil {
		var timeout net.Error
		p.Closed = errors.Is(err, io.EOF) || !(errors.As(err, &timeout) && timeout.Timeout())
	}
	if line, _, ok := bytes.Cut(head, []byte("\n")); ok && bytes.HasPrefix(line, []byte("SSH-")) {
		p.Ident = string(bytes.ToValidUTF8(bytes.TrimRight(line, "\r"), []byte("?")))
	}
	return p
}

// readLine reads until it has a complete line or 1 KiB.
func readLine(conn net.Conn) (head []byte, err error) {
	buf := make([]byte, 256)
	for len(head) < 1024 && !bytes.ContainsRune(head, '\n') && err == nil {
		var n int
		n, err = conn.Read(buf)
		head = append(head, buf[:n]...)
	}
	return head, err
}

// Greets reports whether sshd sends its first line at one of its addresses, and whether anything
// accepts a connection there. It neither logs in nor records the connection: it is for a VM that is
// starting.
func (a *Access) Greets(ctx context.Context) (greets, listens bool) {
	for _, address := range a.Addresses(ctx) {
		g, l := a.greetsAt(ctx, address.Addr)
		listens = listens || l
		if g {
			return true, true
		}
	}
	return false, listens
}

func (a *Access) greetsAt(ctx context.Context, addr string) (greets, listens bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := a.Laptop.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return false, true
	}
	_, err = io.ReadFull(conn, make([]byte, len("SSH-")))
	return err == nil, true
}

// Alive reports whether sshd's port at the docker host's own address accepts or refuses a
// connection.
func (a *Access) Alive(ctx context.Context) bool {
	directAddress := a.directAddress(ctx)
	return directAddress != "" && host.Alive(ctx, a.Laptop, directAddress, probeTime/2)
}
