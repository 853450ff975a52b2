package laptop

import (
	"context"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// Listeners returns the processes that listen on a TCP port of the laptop, as far as this user may
// see them.
func (n *Network) Listeners(ctx context.Context, port int) ([]routes.Listener, error) {
	if n.remembered == nil {
		return n.askListeners(ctx, port)
	}
	all, err := n.remembered.listeners.Get(ctx, func() ([]routes.Listener, error) { return n.askListeners(ctx, 0) })
	var here []routes.Listener
	for _, l := range all {
		if int(l.Addr.Port()) == port {
			here = append(here, l)
		}
	}
	return here, err
}

// askListeners asks which processes listen on a port; 0 means all ports.
func (n *Network) askListeners(ctx context.Context, port int) ([]routes.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, adviceTime)
	defer cancel()
	argv := routes.ListenerArgv(n.host.OS(), port)
	if argv == nil {
		return nil, errors.ErrUnsupported
	}
	out, err := n.host.Run(ctx, host.Cmd{Argv: argv})
	var exit *host.CmdError // lsof exits with 1 if no program listens
	if err != nil && !(errors.As(err, &exit) && exit.Exit == 1 && len(out.Stdout) == 0) {
		return nil, err
	}
	return routes.ParseListeners(n.host.OS(), out.Stdout), nil
}
