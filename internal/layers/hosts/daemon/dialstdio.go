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

// remote is a docker host whose docker command, which docker starts there over SSH, fails.
type remote string

const (
	fine         remote = ""
	notInPath    remote = "not-in-path" // docker is installed, and a shell without a terminal does not find it
	notInstalled remote = "not-installed"
	noDialStdio  remote = "no-dial-stdio" // docker before 18.09
	denied       remote = "denied"        // the user may not connect to the socket there
	down         remote = "down"          // nothing listens on the socket there
	noCommands   remote = "no-commands"   // sshd or the user's shell runs no command
	talks        remote = "talks"         // the user's shell prints something of its own first
)

// commandTime is how long docker's command on the docker host may take, which starts a shell
// and docker there.
const commandTime = 3 * time.Second

// dialStdio is what docker runs on the docker host (docker/cli, cli/connhelper).
func dialStdio(socket string) []string {
	if socket == target.DefaultSocket {
		return []string{"docker", "system", "dial-stdio"}
	}
	return []string{"docker", "--host", "unix://" + socket, "system", "dial-stdio"}
}

// overSSH asks dockerd as docker does: through its own command on the docker host.
func (s *State) overSSH(ctx context.Context, t *target.Target) error {
	if c, err := t.UserSSH.Config(ctx); err != nil || c.RemoteCommand != "" {
		s.NoLogin = true // so that docker does not come so far
		return nil
	}
	if dead, err := t.UserSSH.OwnMasterHangs(ctx); err != nil || dead {
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

// slowShell reports whether dockerd answers past the shell, which is still starting: docker
// works then, and each of its commands waits.
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
		return false // it is docker's command that hangs
	}
	s.Silent, s.SlowShell, s.Connected, s.API = false, true, true, api
	return true
}

// classify sorts a dial-stdio that failed.
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

// remoteOf reads what the docker host's shell or docker printed.
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

// places are where docker is installed without being in the PATH of a shell that has read
// no startup file.
const places = "/usr/bin/docker /usr/local/bin/docker /snap/bin/docker /opt/homebrew/bin/docker /Applications/Docker.app/Contents/Resources/bin/docker /usr/syno/bin/docker /share/CACHEDEV1_DATA/.qpkg/container-station/bin/docker"

// whereIsDocker is the path of the docker host's docker; "" if none is found.
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
