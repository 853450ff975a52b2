package target

import (
	"context"
	"net"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// DefaultSocket is where docker looks for dockerd unless it is told otherwise, and where
// dockerd listens.
const DefaultSocket = "/var/run/docker.sock"

var localForm = form{
	kind: Local, prefix: "local", usage: "local",
	open: func(_ context.Context, t *Target, _ string) error {
		socket := DefaultSocket
		if path, ok := strings.CutPrefix(t.Getenv("DOCKER_HOST"), "unix://"); ok && path != "" {
			socket = path
		}
		t.setSocket(socket)
		return nil
	},
}

// setSocket makes the Target the dockerd behind a unix socket of this computer. Where that
// is a VM's, as on macOS, no command runs on the docker host.
func (t *Target) setSocket(path string) {
	t.Kind, t.Socket, t.key = Local, path, "local"
	if t.Laptop.OS() == host.Linux {
		t.Host = t.Laptop
	}
	t.Docker = func(ctx context.Context) (net.Conn, error) { return t.Laptop.DialContext(ctx, "unix", path) }
}
