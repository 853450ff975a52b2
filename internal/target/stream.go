package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// DockerStream connects to the Docker API like Docker, but its two directions can be closed
// separately. docker's streams need that, such as that of docker run.
func (t *Target) DockerStream(ctx context.Context) (relay.Stream, error) {
	switch t.Kind {
	case SSH:
		login, err := t.UserSSH.Client(ctx)
		if err != nil {
			return nil, err
		}
		return login.Open(ctx, "unix", t.Socket)
	case Machine:
		conn, err := t.Endpoints.Dial(ctx)
		if err == nil {
			return streamOf(conn)
		}
		facts, sshErr := t.Guest.Facts(ctx)
		var login *sshhost.Client
		if sshErr == nil {
			login, sshErr = t.SSH.Client(ctx)
		}
		if sshErr != nil {
			return nil, errors.Join(err, sshErr)
		}
		return login.Open(ctx, "unix", facts.Socket())
	}
	if t.TCP.PerRequest() {
		return nil, &ProxyError{t.TCP.ProxyName(), "it forwards single requests, not streams"}
	}
	conn, err := t.Docker(ctx)
	var why syscall.Errno
	if t.Kind == Local && errors.As(err, &why) {
		err = fmt.Errorf("%s: %w", t.Socket, why)
	}
	if err != nil {
		return nil, err
	}
	return streamOf(conn)
}

// streamOf returns conn as a Stream. If its directions cannot be closed separately, it closes conn.
func streamOf(conn net.Conn) (relay.Stream, error) {
	s, ok := conn.(relay.Stream)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("a connection of type %T cannot end one direction", conn)
	}
	return s, nil
}
