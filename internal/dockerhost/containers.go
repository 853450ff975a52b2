package dockerhost

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// willNotComeBack is appended to the name of a container that dockerd removes when it stops.
const willNotComeBack = " (--rm: it will not come back)"

// AnyRemoved reports whether StoppedByRestart marked one of the containers as removed when it
// stops.
func AnyRemoved(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, willNotComeBack) })
}

// StoppedByRestart returns the names of the running containers that a restart of dockerd stops: all
// of them, unless live-restore keeps them running. If dockerd runs and does not list them, one
// entry stands for all.
func (c *Client) StoppedByRestart(ctx context.Context) []string {
	h, err := c.Host(ctx)
	if err != nil {
		return nil
	}
	facts, err := c.Facts(ctx)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.AnswerTime())
	defer cancel()
	names, err := c.askContainers(ctx, h, facts.Socket())
	if err == nil || facts.Daemon.PID == 0 {
		return names
	}
	// The login user may not be allowed to use the socket.
	if names, err = listContainers(ctx, h, facts.Socket()); err == nil {
		return names
	}
	return []string{"all containers (dockerd does not list them)"}
}

// askContainers does what StoppedByRestart does, over dockerd's socket as the login user.
func (c *Client) askContainers(ctx context.Context, h host.Host, socket string) ([]string, error) {
	docker := dockerd.New(func(ctx context.Context) (net.Conn, error) { return h.DialContext(ctx, "unix", socket) })
	running, err := docker.Containers(ctx)
	if err != nil {
		return nil, err
	}
	info, err := docker.Info(ctx)
	kept := err == nil && info.LiveRestoreEnabled
	if kept && keepsRemoved(info.ServerVersion) {
		c.staying.Store(&running)
		return nil, nil
	}
	var names []string
	var staying []dockerd.Container
	for _, container := range running {
		d, err := docker.Inspect(ctx, container.ID)
		removed := err == nil && d.HostConfig.AutoRemove
		if !removed {
			staying = append(staying, container)
		}
		switch {
		case removed:
			names = append(names, container.Name()+willNotComeBack)
		case !kept:
			names = append(names, container.Name())
		}
	}
	c.staying.Store(&staying)
	return names, nil
}

// Staying returns the containers that run now and will run after a restart of dockerd, as
// StoppedByRestart last found them. It asks nothing, and returns none if no restart was planned.
func (c *Client) Staying() []dockerd.Container {
	if list := c.staying.Load(); list != nil {
		return *list
	}
	return nil
}

// listContainers does what StoppedByRestart does, with the docker host's own docker command as
// root.
func listContainers(ctx context.Context, h host.Host, socket string) ([]string, error) {
	docker := []string{"docker", "-H", "unix://" + socket}
	out, err := h.Run(ctx, host.Cmd{Argv: append(docker, "ps", "-q", "--no-trunc"), Root: true})
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out.Stdout))
	info, err := h.Run(ctx, host.Cmd{Argv: append(docker, "info", "--format", "{{.LiveRestoreEnabled}} {{.ServerVersion}}"), Root: true})
	enabled, version, _ := strings.Cut(strings.TrimSpace(string(info.Stdout)), " ")
	kept := err == nil && enabled == "true"
	if len(ids) == 0 || kept && keepsRemoved(version) {
		return nil, nil
	}
	out, err = h.Run(ctx, host.Cmd{Argv: append(append(docker, "inspect", "--format", "{{.Name}} {{.HostConfig.AutoRemove}}"), ids...), Root: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out.Stdout)) {
		name, removed, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "/")), " ")
		switch {
		case removed == "true":
			names = append(names, name+willNotComeBack)
		case !kept:
			names = append(names, name)
		}
	}
	return names, nil
}

// keepsRemoved reports whether dockerd of this version, with live-restore, keeps containers running
// that were started with --rm. Before 24.0.8 it kills them when it starts (moby/moby#46308, fixed
// by #46857, backported by #46869).
func keepsRemoved(version string) bool {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return false
	}
	return major > 24 || major == 24 && (minor > 0 || patch >= 8)
}
