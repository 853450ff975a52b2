package target

import (
	"context"
	"net"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// DefaultSocket is the socket on which dockerd listens and to which docker connects by default.
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

// setSocket makes t the Target of the dockerd behind a unix socket of this computer. On macOS that
// dockerd runs in a VM, where we cannot run commands.
func (t *Target) setSocket(path string) {
	t.Kind, t.Socket, t.key = Local, path, "local"
	if t.Laptop.OS() == host.Linux {
		t.Host = t.Laptop
	}
	t.Docker = func(ctx context.Context) (net.Conn, error) { return t.Laptop.DialContext(ctx, "unix", path) }
}
