package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/proxy"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// shutdownTime is how long streams may continue after SIGTERM.
const shutdownTime = 10 * time.Second

func (a *app) serveProxy(f *proxyFlags, t *target.Target, credentials *proxy.Credentials) error {
	l, err := host.Listen("tcp", f.listen)
	if err != nil {
		return a.listenError(f, err)
	}
	log := a.newProxyLog()
	server := proxy.New(proxy.Options{Dial: t.DockerStream, ReadOnly: f.readOnly, MaxConnections: f.most, Log: log.connection, Now: a.Now}, credentials)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	log.listening(l.Addr().String(), t.Ref.Arg())
	for {
		select {
		case err := <-served:
			return err
		case <-a.hangup:
			a.reload(f, server, log)
		case <-a.ctx.Done():
			_ = l.Close()
			ctx, cancel := context.WithTimeout(a.hard, shutdownTime)
			defer cancel()
			log.stopped(server.Shutdown(ctx))
			if errors.Is(context.Cause(a.ctx), errTimeout) {
				return a.cause(a.ctx.Err())
			}
			return nil
		}
	}
}

func (a *app) reload(f *proxyFlags, server *proxy.Server, log *proxyLog) {
	credentials, err := a.credentials(f)
	if err == nil {
		server.Use(credentials)
	}
	log.reloaded(err)
}

// listenError adds exit status and hint to the reason why the proxy cannot listen.
func (a *app) listenError(f *proxyFlags, err error) error {
	var next hint.Hint
	var sys syscall.Errno
	why := err.Error()
	if errors.As(err, &sys) {
		why = sys.Error()
		if sys == syscall.EADDRINUSE {
			next, why = a.corrected(f.listen, nextPort(f.listen)), "the port is in use"
		}
	}
	return &exitError{code: exitProblems, message: fmt.Sprintf("listening on %s: %s", f.listen, why), hint: next}
}

// nextPort returns the address with the next port.
func nextPort(addr string) string {
	name, port, _ := net.SplitHostPort(addr)
	n, err := strconv.Atoi(port)
	if err != nil || n > 65534 {
		n = 4242
	}
	return net.JoinHostPort(name, strconv.Itoa(n+1))
}
