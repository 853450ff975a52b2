package target

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

var sshForm = form{
	kind: SSH, prefix: "ssh://", usage: "ssh://[user@]host[:port]",
	parse: func(rest string) (string, error) {
		to, socket, err := parseSSH(rest)
		return to.String() + socket, err
	},
	open: func(_ context.Context, t *Target, name string) error {
		to, socket, err := parseSSH(name)
		if err != nil {
			return err
		}
		t.Kind, t.key = SSH, "ssh://"+to.String()
		t.Socket = cmp.Or(socket, DefaultSocket)
		t.UserSSH = userssh.New(t.Laptop, to)
		t.Host = lazyHost(func(ctx context.Context) (host.Host, error) { return t.UserSSH.Client(ctx) })
		t.Docker = func(ctx context.Context) (net.Conn, error) { return t.Host.DialContext(ctx, "unix", t.Socket) }
		return nil
	},
}

// parseSSH parses the text after ssh://. socket is the path of dockerd's socket on the docker host,
// which docker accepts as well (docker/cli, cli/connhelper/ssh); "" for the default.
func parseSSH(rest string) (to userssh.Destination, socket string, err error) {
	text := "ssh://" + rest
	refuse := func(why string) (userssh.Destination, string, error) {
		return userssh.Destination{}, "", &RefError{text, why}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(rest, "?# \t\n"):
		return refuse("it is not ssh://[user@]host[:port]")
	case u.Hostname() == "":
		return refuse("it has no host")
	case !isPort(u.Port()):
		return refuse("a port is a number from 1 to 65535")
	case strings.HasPrefix(u.Hostname(), "-"), strings.HasPrefix(u.User.Username(), "-"):
		return refuse("a name must not begin with a dash")
	}
	if _, has := u.User.Password(); has {
		return refuse("ssh takes no password there")
	}
	return userssh.Destination{User: u.User.Username(), Host: u.Hostname(), Port: u.Port()}, strings.TrimSuffix(u.Path, "/"), nil
}

// lazyHost is a host that is logged in to when it is first used.
type lazyHost func(context.Context) (host.Host, error)

// Run implements host.Host.
func (l lazyHost) Run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	h, err := l(ctx)
	if err != nil {
		return host.Output{}, err
	}
	return h.Run(ctx, cmd)
}

// DialContext implements host.Host.
func (l lazyHost) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	h, err := l(ctx)
	if err != nil {
		return nil, err
	}
	return h.DialContext(ctx, network, addr)
}
