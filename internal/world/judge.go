package world

import (
	"context"
	"errors"
	"net"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
)

// NotTLS says that what answered does not speak TLS at all.
func NotTLS(err error) bool { return errors.Is(err, dockerd.ErrNotTLS) }

// NotDocker says that what answered is not the Docker API.
func NotDocker(err error) bool {
	var e *dockerd.NotDockerError
	return errors.As(err, &e)
}

// Rejected says that dockerd does not accept the client certificate.
func (a Answer) Rejected() error {
	for _, err := range []error{a.TLSErr, a.PingErr} {
		var e *dockerd.RejectedError
		if errors.As(err, &e) {
			return e
		}
	}
	return nil
}

// StoppedByRestart names the running containers that a restart of dockerd
// stops: all, unless live-restore keeps them. Where dockerd cannot be asked, none are known.
func (w *World) StoppedByRestart(ctx context.Context) []string {
	if w.Frugal {
		return nil
	}
	h, err := w.DockerHost(ctx)
	if err != nil {
		return nil
	}
	socket := dockerhost.DefaultSocket
	if facts, err := w.Facts(ctx); err == nil {
		socket = facts.Socket()
	}
	ctx, cancel := context.WithTimeout(ctx, max(ProbeTime, w.Patience))
	defer cancel()
	c := dockerd.New(func(ctx context.Context) (net.Conn, error) { return h.DialContext(ctx, "unix", socket) })
	if info, err := c.Info(ctx); err == nil && info.LiveRestoreEnabled {
		return nil
	}
	running, err := c.Containers(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, container := range running {
		name := container.Name()
		if d, err := c.Inspect(ctx, container.ID); err == nil && d.HostConfig.AutoRemove {
			name += " (--rm: it will not come back)"
		}
		names = append(names, name)
	}
	return names
}
