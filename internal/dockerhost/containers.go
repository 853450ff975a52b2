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

// willNotComeBack marks a container that dockerd removes when it stops.
const willNotComeBack = " (--rm: it will not come back)"

// AnyRemoved reports whether one of the containers that StoppedByRestart names does not
// come back.
func AnyRemoved(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, willNotComeBack) })
}

// StoppedByRestart names the running containers that a restart of dockerd
// stops: all, unless live-restore keeps them. Where dockerd runs and does not list
// them, one entry stands for all of them.
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
	// The login user need not be in the group that may use the socket.
	if names, err = listContainers(ctx, h, facts.Socket()); err == nil {
		return names
	}
	return []string{"all containers (dockerd does not list them)"}
}

// askContainers asks by dockerd's socket, as the login user.
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

// Staying are the containers that run, and run again after a restart of dockerd, as they were
// listed last. It asks nothing: there are none where no restart was planned.
func (c *Client) Staying() []dockerd.Container {
	if list := c.staying.Load(); list != nil {
		return *list
	}
	return nil
}

// listContainers asks docker's client on the docker host, as root.
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

// keepsRemoved reports whether a dockerd with live-restore leaves a container alone
// that was run with --rm. Before 24.0.8 it kills it when it starts
// (moby/moby#46308, fixed by #46857, backported by #46869).
func keepsRemoved(version string) bool {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return false
	}
	return major > 24 || major == 24 && (minor > 0 || patch >= 8)
}
