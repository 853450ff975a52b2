package target

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
)

var contextForm = form{
	kind: Context, prefix: "context:", usage: "context:NAME",
	parse: func(name string) (string, error) {
		if name == "" {
			return "", &RefError{"context:", "it has no name"}
		}
		return name, nil
	},
	open: func(ctx context.Context, t *Target, name string) error {
		if name == dockercli.DefaultContext {
			return t.openEnvironment(ctx)
		}
		c, err := dockercli.ReadContext(ctx, t.Laptop, dockerConfig(t.Getenv), name)
		if err != nil {
			return err
		}
		t.Context = name
		err = t.openURL(ctx, c.Host, func(addr string) TCPEndpoint {
			return TCPEndpoint{Addr: addr, TLS: len(c.Files) > 0 || c.SkipVerify, CertDir: c.TLSDir, SkipVerify: c.SkipVerify}
		})
		if t.Kind == Local && t.Socket != DefaultSocket {
			t.key = "context:" + name // no other form of HOST can name that socket
		}
		return err
	},
}

// ErrNoForm means that no form of HOST can name a docker endpoint, such as a named pipe.
var ErrNoForm = errors.New("docker-vpn-helper does not know this kind of endpoint")

// openURL opens the docker host of a DOCKER_HOST or of a context's endpoint. tcp returns the
// settings for a TCP address.
func (t *Target) openURL(ctx context.Context, url string, tcp func(addr string) TCPEndpoint) error {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "tcp", url // docker/cli, opts/hosts.go, parseDockerDaemonHost
	}
	switch {
	case scheme == "unix" && rest != "":
		t.setSocket(rest)
	case scheme == "ssh":
		return sshForm.open(ctx, t, rest)
	case scheme == "tcp":
		addr, err := parseTCP(rest, tcp("").TLS)
		if err != nil {
			return err
		}
		t.setTCP(tcp(addr))
	default:
		return fmt.Errorf("%s: %w", url, ErrNoForm)
	}
	return nil
}

// openEnvironment opens the docker host of docker's context "default": DOCKER_HOST or, if that is
// not set, the local socket. If DOCKER_TLS_VERIFY is set to anything, docker uses TLS and verifies
// the server; if only DOCKER_TLS is set, it does not verify (docker/cli, cli/flags/options.go).
func (t *Target) openEnvironment(ctx context.Context) error {
	url := t.Getenv("DOCKER_HOST")
	if url == "" {
		return localForm.open(ctx, t, "")
	}
	verify := t.Getenv("DOCKER_TLS_VERIFY") != ""
	return t.openURL(ctx, url, func(addr string) TCPEndpoint {
		e := TCPEndpoint{Addr: addr, TLS: verify || t.Getenv("DOCKER_TLS") != "", SkipVerify: !verify}
		if e.CertDir = t.Getenv("DOCKER_CERT_PATH"); e.CertDir == "" {
			e.CertDir = dockerConfig(t.Getenv)
		}
		return e
	})
}
