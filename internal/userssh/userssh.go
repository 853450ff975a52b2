// Package userssh reaches a docker host as docker does for ssh://, with the user's own ssh program,
// agent, ~/.ssh/config and known_hosts. It logs in once: that ssh is a ControlMaster, whose connection
// all commands and connections share.
package userssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

const (
	// connectTime is ssh's own timeout for the TCP connection and the server's first line.
	connectTime = 3 * time.Second
	// idleTime is after how long an unused ControlMaster exits by itself, in case this program is killed.
	idleTime = 30 * time.Second
	// exitTime is the timeout of the request to the ControlMaster to exit.
	exitTime = time.Second
	// pollTime is how often connect tries the ControlMaster's socket.
	pollTime = 5 * time.Millisecond
)

// ErrMissing means that the laptop has no ssh program.
var ErrMissing = errors.New("the ssh command is neither in PATH nor in /usr/bin")

// Destination is where ssh logs in: the parts of ssh://[user@]host[:port]. Host may be a name in
// ~/.ssh/config. If User or Port is "", ssh decides.
type Destination struct{ User, Host, Port string }

func (d Destination) String() string {
	s := d.Host
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	if d.User != "" {
		s = d.User + "@" + s
	}
	if d.Port != "" {
		s += ":" + d.Port
	}
	return s
}

// Args returns the last arguments of an ssh command, after its options.
func (d Destination) Args(command ...string) []string {
	var args []string
	if d.User != "" {
		args = append(args, "-l", d.User)
	}
	if d.Port != "" {
		args = append(args, "-p", d.Port)
	}
	return append(append(args, "--", d.Host), command...)
}

// Conn is a connection through a ControlMaster.
type Conn struct {
	*sshhost.Client
	control *controlConn // to the ControlMaster's socket
	laptop  host.Laptop
	ssh     string // the path of the ssh program
	to      Destination
	dir     string             // of the socket
	ended   <-chan error       // gets the result of the ControlMaster's command
	stop    context.CancelFunc // kills the ControlMaster
}

// Dial logs in. It never asks the user anything. An error of ssh is an *Error.
func Dial(ctx context.Context, laptop host.Laptop, to Destination) (*Conn, error) {
	program, err := find(laptop)
	if err != nil {
		return nil, err
	}
	tidy(ctx, laptop)
	// The user's own directories may be too long: on macOS the path of a socket may have 104 bytes,
	// and ssh temporarily appends some. Because /tmp is shared, the name must not be guessable.
	dir := filepath.Join(socketDirs, fmt.Sprintf("%s%d-%s", dirPrefix, os.Getpid(), rand.Text()))
	if err := laptop.MkdirAll(ctx, dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating a directory for ssh's socket: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	c := &Conn{laptop: laptop, ssh: program, to: to, dir: dir, ended: ended, stop: stop}
	go func() {
		out, err := laptop.Run(background, host.Cmd{Argv: c.master(), Env: []string{"LC_ALL=C"}})
		if err != nil {
			err = &Error{Destination: to, Stderr: string(out.Stderr), Err: err}
		}
		ended <- err
	}()
	if c.Client, err = c.connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// find returns the path of the user's ssh program.
func find(laptop host.Laptop) (string, error) {
	program, err := laptop.LookPath("ssh", "/usr/bin/ssh")
	if err != nil {
		return "", ErrMissing
	}
	return program, nil
}

func (c *Conn) socket() string { return filepath.Join(c.dir, socketName) }

// master returns the command that logs in and stays in the background. It turns off forwardings in
// ~/.ssh/config, which are for the user's own sessions: two cannot listen on the same port.
func (c *Conn) master() []string {
	argv := []string{c.ssh, "-N", "-T"}
	for _, option := range []string{
		"ControlMaster=yes", "ControlPath=" + c.socket(), fmt.Sprintf("ControlPersist=%.0f", idleTime.Seconds()),
		"BatchMode=yes", fmt.Sprintf("ConnectTimeout=%.0f", connectTime.Seconds()), "ServerAliveInterval=15", "LogLevel=INFO",
		"ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no",
	} {
		argv = append(argv, "-o", option)
	}
	return append(argv, c.to.Args()...)
}

// connect waits for the ControlMaster's socket, which shows that the login has succeeded. The end of
// the command does not: before OpenSSH 8.7 the background process keeps its streams open.
func (c *Conn) connect(ctx context.Context) (*sshhost.Client, error) {
	for {
		conn, err := c.laptop.DialContext(ctx, "unix", c.socket())
		if err == nil {
			c.control = newControlConn(conn)
			return sshhost.Control(ctx, c.control, c.to.String())
		}
		select {
		case err := <-c.ended:
			if err != nil {
				return nil, err
			}
			c.ended = nil // the ControlMaster is in the background now
		case <-ctx.Done():
			return nil, c.timedOut(ctx)
		case <-time.After(pollTime):
		}
	}
}

// timedOut stops ssh, and returns an error with what it has printed.
func (c *Conn) timedOut(ctx context.Context) error {
	c.stop()
	var failed *Error
	if err := <-c.ended; errors.As(err, &failed) {
		failed.Err = context.Cause(ctx)
		return failed
	}
	return &Error{Destination: c.to, Err: context.Cause(ctx)}
}

// Close logs out and removes the socket.
func (c *Conn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), exitTime)
	defer cancel()
	if c.Client != nil {
		c.Client.Close()
		// If that fails, the ControlMaster exits by itself after idleTime.
		_, _ = c.laptop.Run(ctx, host.Cmd{Argv: append([]string{c.ssh, "-o", "ControlPath=" + c.socket(), "-O", "exit"}, c.to.Args()...)})
	}
	c.stop()
	_ = c.laptop.Remove(ctx, c.socket())
	_ = c.laptop.Remove(ctx, c.dir)
}
