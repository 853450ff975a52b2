package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// remote is how the docker host's own docker command fails, which docker runs over SSH.
type remote string

const (
	fine         remote = ""
	notInPath    remote = "not-in-path" // it is installed, but not in PATH without a terminal
	notInstalled remote = "not-installed"
	noDialStdio  remote = "no-dial-stdio" // docker before 18.09
	denied       remote = "denied"        // the user may not connect to the docker socket
	down         remote = "down"          // nothing listens on the docker socket
	noCommands   remote = "no-commands"   // sshd or the user's shell does not run commands
	talks        remote = "talks"         // the user's shell prints text before docker's answer
)

// commandTime is how long the docker host's docker command may take, including its shell.
const commandTime = 3 * time.Second

// dialStdio returns the command that docker runs on the docker host (docker/cli, cli/connhelper).
func dialStdio(socket string) []string {
	if socket == target.DefaultSocket {
		return []string{"docker", "system", "dial-stdio"}
	}
	return []string{"docker", "--host", "unix://" + socket, "system", "dial-stdio"}
}

// overSSH asks dockerd as docker does: through the docker command on the docker host.
func (s *State) overSSH(ctx context.Context, t *target.Target) error {
	if c, err := t.UserSSH.Config(ctx); err != nil || c.RemoteCommand != "" {
		s.NoLogin = true
		return nil
	}
	if hangs, err := t.UserSSH.OwnMasterHangs(ctx); err != nil || hangs {
		s.NoLogin = true
		return nil
	}
	conn, err := t.UserSSH.Client(ctx)
	if err != nil {
		s.NoLogin = true
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	out, err := conn.Run(asking, host.Cmd{Argv: dialStdio(t.Socket), Stdin: []byte(dockerd.PingRequest)})
	var api string
	if len(out.Stdout) > 0 {
		var parseErr error
		if api, parseErr = dockerd.ReadPing(bufio.NewReader(bytes.NewReader(out.Stdout))); parseErr == nil {
			s.Connected, s.API = true, api
			return nil
		} else if err == nil {
			err = parseErr
			if bytes.Contains(out.Stdout, []byte("HTTP/1.1 200 OK")) {
				s.Remote, s.Words = talks, firstLine(string(out.Stdout))
				return err
			}
		}
	}
	s.classify(ctx, conn, err)
	if s.Silent && s.slowShell(ctx, t, conn) {
		return nil
	}
	return err
}

// slowShell reports whether dockerd answers without a shell, while the login shell is still starting.
// Docker then works, but each of its commands waits for the shell.
func (s *State) slowShell(ctx context.Context, t *target.Target, h host.Host) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := t.Docker(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	api, err := dockerd.Ping(ctx, conn, dockerd.PingRequest)
	if err != nil {
		return false
	}
	if _, err := h.Run(ctx, host.Cmd{Argv: []string{"true"}}); err == nil {
		return false // the shell works, so docker's command hangs
	}
	s.Silent, s.SlowShell, s.Connected, s.API = false, true, true, api
	return true
}

// classify records how dial-stdio failed.
func (s *State) classify(ctx context.Context, h host.Host, err error) {
	var exit *host.CmdError
	var ssh *sshhost.Error
	var not *dockerd.NotDockerError
	var complaint *dockerd.APIError
	switch {
	case err == nil:
		s.Closed = true
	case errors.As(err, &not):
		s.NotDocker = true
	case errors.As(err, &complaint):
		s.Complains = true
	case errors.As(err, &ssh) && ssh.Cause == sshhost.Timeout, errors.Is(err, context.DeadlineExceeded):
		s.Silent = true
	case errors.As(err, &ssh) && ssh.Cause == sshhost.Denied:
		s.Remote = noCommands
	case errors.As(err, &exit):
		s.Words = firstLine(exit.Stderr)
		s.Remote = remoteOf(exit)
		if s.Remote == notInPath {
			if s.Path = whereIsDocker(ctx, h); s.Path == "" {
				s.Remote = notInstalled
			}
		}
	}
}

// remoteOf returns the failure that shows in what the docker host's shell or docker printed.
func remoteOf(e *host.CmdError) remote {
	text := strings.ToLower(e.Stderr + e.Stdout)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("permission denied") && has("docker.sock", "dial unix"):
		return denied
	case has("is the docker daemon running", "no such file or directory", "connection refused") && has("dial unix", "docker daemon"):
		return down
	case has("is not a docker command", "unknown command", "usage:") && e.Exit != 127:
		return noDialStdio
	case e.Exit == 127, has("docker: not found", "docker: command not found", "command not found: docker", "unknown command: docker"):
		return notInPath
	}
	return noCommands
}

// places are paths of docker that may not be in the PATH of a shell that reads no startup files.
const places = "/usr/bin/docker /usr/local/bin/docker /snap/bin/docker /opt/homebrew/bin/docker /Applications/Docker.app/Contents/Resources/bin/docker /usr/syno/bin/docker /share/CACHEDEV1_DATA/.qpkg/container-station/bin/docker"

// whereIsDocker returns the path of docker on the docker host, or "".
func whereIsDocker(ctx context.Context, h host.Host) string {
	ctx, cancel := context.WithTimeout(ctx, answerTime/2)
	defer cancel()
	script := `for d in ` + places + ` "$HOME/.docker/bin/docker" "$HOME/bin/docker"; do if [ -x "$d" ]; then echo "$d"; exit; fi; done`
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", script}})
	if err != nil {
		return ""
	}
	return firstLine(string(out.Stdout))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}
