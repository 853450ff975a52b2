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

// configTime is the timeout of `ssh -G`, which may look up names and run the commands of Match exec.
const configTime = 2 * time.Second

// Config is the user's ssh configuration for a destination.
type Config struct {
	Host string `json:"host"` // the name or address that ssh connects to
	Port string `json:"port"`
	User string `json:"user"`
	// Proxy is the ProxyJump or ProxyCommand that the connection goes through; "" if none.
	Proxy string `json:"proxy,omitempty"`
	// RemoteCommand runs instead of docker's command; "" if none is configured.
	RemoteCommand string `json:"remote_command,omitempty"`
	// TTY means that ssh requests a terminal even for a command (RequestTTY force). That spoils
	// docker's data, unless docker overrides it, as version 23 and later do.
	TTY bool `json:"request_tty,omitempty"`
	// ControlPath is the socket of the user's own ControlMaster; "" if none is configured.
	ControlPath string `json:"control_path,omitempty"`
}

// Config asks ssh for the configuration. The error is an *Error if ssh cannot read it.
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

// parseConfig reads the output of ssh -G: a keyword in lower case and its value on each line.
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

// masterTime is the timeout of a command through the user's own ControlMaster.
const masterTime = 3 * time.Second

// OwnMasterHangs reports whether the user has a ControlMaster, which docker would use, whose
// connection is dead: commands over it get no answer.
func (l *Login) OwnMasterHangs(ctx context.Context) (hangs bool, err error) {
	c, err := l.Config(ctx)
	if err != nil || c.ControlPath == "" {
		return false, err
	}
	dialing, cancel := context.WithTimeout(ctx, masterTime)
	defer cancel()
	conn, err := l.laptop.DialContext(dialing, "unix", c.ControlPath)
	if err != nil {
		return false, nil // nothing listens there; ssh makes a new connection
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
