package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

// followFlags are the flags of ports follow.
type followFlags struct {
	bind    string
	remap   bool
	service bool // it runs as the login service
}

func (a *app) portsFollowCmd() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:   "follow [HOST]",
		Short: "Keep published ports on localhost, as long as it runs",
		Long: `follow forwards every published TCP port of a running container to the same port on 127.0.0.1
and ::1 of the laptop, until the container stops. It prints one line per change. Connections
go through one SSH connection, which no VPN can cut. On a machine, UDP ports get a VirtualBox
NAT rule each.

While the docker host cannot be reached, ports stay reserved and connections are reset; follow
reconnects by itself. Ctrl-C ends it, and removes every port.`,
		Example: `  docker-vpn-helper ports follow default
  docker-vpn-helper ports follow --remap ssh://me@build`,
		Args: a.oneHost,
		RunE: func(cmd *cobra.Command, args []string) error {
			var bind netip.Addr
			if cmd.Flags().Changed("bind") {
				var err error
				if bind, err = netip.ParseAddr(f.bind); err != nil {
					return misused(a.corrected(f.bind, "127.0.0.1"), "--bind takes an IP address, not %q", f.bind)
				}
			}
			s, err := a.site()
			if err != nil {
				return err
			}
			return a.onHost(s, args, func(t *target.Target) error { return a.portsFollow(t, bind, f) }, followKinds()...)
		},
	}
	cmd.Flags().StringVar(&f.bind, "bind", "", "listen on `ADDR` instead of 127.0.0.1 and ::1; other computers may then reach the ports")
	cmd.Flags().BoolVar(&f.remap, "remap", false, "if a port of the laptop is taken, use the next free one")
	cmd.Flags().BoolVar(&f.service, "service", false, "run as the login service of ports on")
	_ = cmd.Flags().MarkHidden("service") // fails only for unknown flags
	return cmd
}

func (a *app) portsFollow(t *target.Target, bind netip.Addr, flags followFlags) error {
	login := loginOf(t)
	if login == nil {
		return a.noSSH(t)
	}
	keeper, err := follow.Begin(a.ctx, t.Laptop, t.State(), follow.Status{PID: os.Getpid(), Since: a.Now(), Service: flags.service})
	var other *follow.RunningError
	if errors.As(err, &other) {
		return &exitError{code: exitProblems, message: fmt.Sprintf("%s: %v", named(t), other), hint: t.Hint(hint.Own("ports", hint.Machine))}
	}
	if err != nil {
		return a.cause(err)
	}
	defer func() { _ = keeper.Close() }()
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	go func() {
		select {
		case <-host.Hangup(a.Stdout):
			cancel()
		case <-ctx.Done():
		}
	}()
	// One processor is faster here: all data goes through one SSH connection, whose other end, sshd, has
	// one thread. With several processors Go wakes threads for each message that find nothing to do.
	defer host.OneProcessor()()
	if !flags.service && !a.ui.JSON {
		a.ui.Say("[%s] following published ports as containers come and go; Ctrl-C ends", t.Name())
	}
	first := firstLogin{login: login, patient: flags.service, end: cancel}
	follow.New(follow.Config{
		Name:   t.Name(),
		Docker: dockerOf(t), Login: first.Login, Socket: cmp.Or(t.Socket, target.DefaultSocket),
		SyncUDP: syncUDPOf(t), Listen: listenOn(t.Laptop), Holder: holderOf(t), OS: t.Laptop.OS(),
		Bind: bind, Remap: flags.remap,
		Notify: a.ui.Say, Away: keeper.NoteAway,
		Report: func(e follow.Event) {
			keeper.Note(e, a.Now())
			a.printEvent(e)
			if a.ui.WriteError() != nil {
				cancel()
			}
		},
	}).Run(ctx)
	if first.failed != nil {
		return &exitError{code: exitUnknown, message: first.failed.Error(), hint: t.Hint(hint.Own("doctor", hint.Machine))}
	}
	return nil
}

// firstLogin ends the run if the first login fails for a reason that the user must fix.
type firstLogin struct {
	login   func(context.Context) (follow.Remote, error)
	patient bool   // never end the run, as for the login service
	end     func() // ends the run

	tried  bool
	failed error // why the run was ended; to be read after the run
}

// Login logs in. It is not called concurrently.
func (f *firstLogin) Login(ctx context.Context) (follow.Remote, error) {
	remote, err := f.login(ctx)
	if err != nil && !f.tried && !f.patient && hopeless(err) {
		f.failed = err
		f.end()
	}
	f.tried = true
	return remote, err
}

// hopeless reports whether a login failed because the user's key does not exist, or because the docker
// host's name has no address.
func hopeless(err error) bool {
	var ssh *userssh.Error
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &ssh) && ssh.Cause() == userssh.NameUnknown
}

// printEvent prints an event as one line.
func (a *app) printEvent(e follow.Event) {
	if a.ui.JSON {
		_ = a.ui.PrintJSON(e)
		return
	}
	subject := e.Container
	if e.Protocol != "" {
		subject = fmt.Sprintf("%d/%s %s", e.Port, e.Protocol, e.Container)
	}
	switch e.Kind {
	case follow.Add:
		a.ui.Lines(fmt.Sprintf("+ %s %s", subject, e.Reach))
	case follow.Remove:
		a.ui.Lines("- " + subject)
	case follow.Problem:
		a.ui.Lines(fmt.Sprintf("! %s: %s", subject, e.Reason))
	}
}

// dockerOf returns a function that connects to a machine's dockerd at its endpoint; nil for other docker
// hosts, which are asked over SSH. When connecting fails, it forgets what it knows of the VM: a restarted
// VM may have other ports.
func dockerOf(t *target.Target) func(context.Context) (net.Conn, error) {
	if t.Kind != target.Machine {
		return nil
	}
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := t.Endpoints.Dial(ctx)
		if err != nil {
			t.Forget()
		}
		return conn, err
	}
}

// listenOn returns a function that listens on the laptop. macOS allows listening on 127.0.0.1:5000 even
// if another program listens on that port at all addresses, so it first checks whether the port is taken.
func listenOn(l host.Laptop) func(network, addr string) (net.Listener, error) {
	return func(network, addr string) (net.Listener, error) {
		at, err := netip.ParseAddrPort(addr)
		if l.OS() == host.Darwin && err == nil && network == "tcp4" {
			if use, err := l.PortUse(context.Background(), int(at.Port())); err == nil && use == host.PortTaken {
				return nil, syscall.EADDRINUSE
			}
		}
		return host.Listen(network, addr)
	}
}

// holderOf returns a function that names the programs listening on a port, if this user may see them.
func holderOf(t *target.Target) func(context.Context, int) string {
	return func(ctx context.Context, port int) string {
		all, _ := t.Network.Listeners(ctx, port)
		var names []string
		for _, l := range all {
			if name := fmt.Sprintf("%s (PID %d)", l.Command, l.PID); l.Command != "" && !strings.Contains(strings.Join(names, " "), name) {
				names = append(names, name)
			}
		}
		return strings.Join(names, ", ")
	}
}
