package userssh

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
)

// Login logs in when the connection is first needed. A failure is remembered for the rest of the run;
// a connection that is lost is made again.
type Login struct {
	laptop host.Laptop
	To     Destination
	conn   memo.Of[*Conn]
	config memo.Of[Config]
}

// New returns a Login that has not logged in yet.
func New(laptop host.Laptop, to Destination) *Login { return &Login{laptop: laptop, To: to} }

// Client returns the connection. It logs in if there is none.
func (l *Login) Client(ctx context.Context) (*Conn, error) {
	c, err := l.dial(ctx)
	if err == nil && c.Lost() != nil {
		l.Close()
		return l.dial(ctx)
	}
	return c, err
}

func (l *Login) dial(ctx context.Context) (*Conn, error) {
	return l.conn.Get(ctx, func() (*Conn, error) { return Dial(ctx, l.laptop, l.To) })
}

// Close closes the connection, if there is one.
func (l *Login) Close() {
	if c, _ := l.conn.Peek(); c != nil {
		c.Close()
	}
	l.conn.Forget()
}
