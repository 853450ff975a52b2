package userssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// configTime bounds `ssh -G`, which may look names up and run the commands of Match exec.
const configTime = 2 * time.Second

// Config is what the user's configuration makes of a destination.
type Config struct {
	Host string `json:"host"` // the name or address that ssh connects to
	Port string `json:"port"`
	User string `json:"user"`
	// Proxy is the ProxyJump or ProxyCommand that the connection goes through; "" if none.
	Proxy string `json:"proxy,omitempty"`
	// RemoteCommand is run in place of docker's; "" if none.
	RemoteCommand string `json:"remote_command,omitempty"`
	// TTY reports that a terminal is asked for even where a command is given, which spoils
	// what docker reads unless it asks for none itself (docker 23 and later).
	TTY bool `json:"request_tty,omitempty"`
	// ControlPath is the socket of the user's own ControlMaster; "" if none is wanted.
	ControlPath string `json:"control_path,omitempty"`
}

// Config asks ssh for its configuration. It is an *Error where that cannot be read.
func (l *Login) Config(ctx context.Context) (Config, error) {
	return l.config.Get(ctx, func() (Config, error) {
		program, err := find(l.laptop)
		if err != nil {
			return Config{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, configTime)
		defer cancel()
		out, err := l.laptop.Run(ctx, host.Cmd{Argv: append([]string{program, "-G"}, l.To.Args()...), Env: []string{"LC_ALL=C"}})
		if err != nil {
			return Config{}, &Error{Destination: l.To, Stderr: string(out.Stderr), Err: err}
		}
		return parseConfig(out.Stdout), nil
	})
}

// parseConfig reads what ssh -G prints: a keyword in lower case and its value on each line.
func parseConfig(out []byte) Config {
	var c Config
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if value == "none" {
			value = ""
		}
		switch key {
		case "hostname":
			c.Host = value
		case "port":
			c.Port = value
		case "user":
			c.User = value
		case "proxyjump", "proxycommand":
			if value != "" {
				c.Proxy = value
			}
		case "remotecommand":
			c.RemoteCommand = value
		case "requesttty":
			c.TTY = value == "force"
		case "controlpath":
			c.ControlPath = value
		}
	}
	return c
}

// masterTime bounds a command through the user's own ControlMaster.
const masterTime = 3 * time.Second

// OwnMaster reports whether the user's own ControlMaster, which docker would use, lets its
// clients wait: its network or the docker host is gone. Where there is none it does not.
func (l *Login) OwnMaster(ctx context.Context) (dead bool, err error) {
	c, err := l.Config(ctx)
	if err != nil || c.ControlPath == "" {
		return false, err
	}
	dialing, cancel := context.WithTimeout(ctx, masterTime)
	defer cancel()
	conn, err := l.laptop.DialContext(dialing, "unix", c.ControlPath)
	if err != nil {
		return false, nil // ssh makes another, or a connection of its own
	}
	conn.Close()
	program, err := find(l.laptop)
	if err != nil {
		return false, err
	}
	argv := []string{program, "-T", "-o", "ControlMaster=no", "-o", "BatchMode=yes", "-o", "RemoteCommand=none", "-o", fmt.Sprintf("ConnectTimeout=%.0f", connectTime.Seconds())}
	_, err = l.laptop.Run(dialing, host.Cmd{Argv: append(argv, l.To.Args("true")...), Env: []string{"LC_ALL=C"}})
	return errors.Is(err, context.DeadlineExceeded), nil
}
