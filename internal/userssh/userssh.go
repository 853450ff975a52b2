// Package userssh reaches a docker host as docker does for ssh://: by the user's own ssh
// program, with its agent, ~/.ssh/config and known_hosts. One login becomes a
// ControlMaster, which all commands and connections share.
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
	// connectTime bounds ssh's own wait for the TCP connection and for the server's first line.
	connectTime = 3 * time.Second
	// idleTime is how long a ControlMaster stays that nothing uses: it ends by itself where
	// this program was killed.
	idleTime = 30 * time.Second
	// exitTime bounds the request to the ControlMaster to end.
	exitTime = time.Second
	// pollTime is how often the ControlMaster's socket is looked for.
	pollTime = 5 * time.Millisecond
)

// ErrMissing is the error where the laptop has no ssh program.
var ErrMissing = errors.New("the ssh command is neither in PATH nor in /usr/bin")

// Destination is where ssh logs in: what stands in ssh://[user@]host[:port]. Host may be a
// name of ~/.ssh/config. User and Port are empty where ssh decides.
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

// Args are the end of an ssh command line, behind its options.
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

// Conn is a login. Close ends it.
type Conn struct {
	*sshhost.Client
	control *controlConn
	laptop  host.Laptop
	ssh     string
	to      Destination
	dir     string
	ended   <-chan error
	stop    context.CancelFunc
}

// Dial logs in, without asking the user anything. An error of ssh's is an *Error.
func Dial(ctx context.Context, laptop host.Laptop, to Destination) (*Conn, error) {
	program, err := find(laptop)
	if err != nil {
		return nil, err
	}
	tidy(ctx, laptop)
	// A socket's path has 104 bytes at most on macOS, and ssh adds some for a moment, so
	// that the user's own directories may be too long. The name cannot be guessed.
	dir := filepath.Join(socketDirs, fmt.Sprintf("%s%d-%s", dirPrefix, os.Getpid(), rand.Text()))
	if err := laptop.MkdirAll(ctx, dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a directory for ssh's socket: %w", err)
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

// find is the path of the user's ssh program.
func find(laptop host.Laptop) (string, error) {
	program, err := laptop.LookPath("ssh", "/usr/bin/ssh")
	if err != nil {
		return "", ErrMissing
	}
	return program, nil
}

func (c *Conn) socket() string { return filepath.Join(c.dir, socketName) }

// master is the command that logs in, and stays in the background. What ~/.ssh/config says
// of forwardings is for the user's own sessions: a port can be listened on once.
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

// connect waits for the ControlMaster's socket, which is there once the login is done.
// Before OpenSSH 8.7 the command does not end then, because what stays in the background
// keeps its streams.
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
			c.ended = nil // it is in the background now
		case <-ctx.Done():
			return nil, c.timedOut(ctx)
		case <-time.After(pollTime):
		}
	}
}

// timedOut stops ssh, and is what it had printed by then.
func (c *Conn) timedOut(ctx context.Context) error {
	c.stop()
	var failed *Error
	if err := <-c.ended; errors.As(err, &failed) {
		failed.Err = context.Cause(ctx)
		return failed
	}
	return &Error{Destination: c.to, Err: context.Cause(ctx)}
}

// Close ends the login and removes its socket.
func (c *Conn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), exitTime)
	defer cancel()
	if c.Client != nil {
		c.Client.Close()
		// What it does not hear ends by itself after idleTime.
		_, _ = c.laptop.Run(ctx, host.Cmd{Argv: append([]string{c.ssh, "-o", "ControlPath=" + c.socket(), "-O", "exit"}, c.to.Args()...)})
	}
	c.stop()
	_ = c.laptop.Remove(ctx, c.socket())
	_ = c.laptop.Remove(ctx, c.dir)
}
