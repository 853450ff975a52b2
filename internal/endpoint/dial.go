package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// Dial opens a TLS connection to this machine's dockerd, at the endpoint that docker should use.
// Each time it verifies that it is this machine's dockerd.
func (f *Finder) Dial(ctx context.Context) (net.Conn, error) {
	e := f.ForDocker(ctx)
	if e.Planned {
		e = f.HostOnly()
	}
	if e.Host == "" {
		return nil, errors.New("no endpoint of dockerd is known")
	}
	pair, err := f.ClientPair(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ProbeTime)
	defer cancel()
	raw, err := f.Laptop.DialContext(ctx, "tcp", e.addr())
	if err != nil {
		return nil, fmt.Errorf("no answer from dockerd at %s: %w", e.URL(), err)
	}
	seen, err := dockerd.Handshake(ctx, raw, dockerd.TLS{ServerName: e.Host, Certificate: pair})
	if err == nil && f.identify(ctx, seen.Leaf) != Mine {
		err = fmt.Errorf("it is not that of machine %q", f.Machine.Name)
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("dockerd at %s: %w", e.URL(), err)
	}
	_ = raw.SetDeadline(time.Time{})
	return seen.Conn(), nil
}
