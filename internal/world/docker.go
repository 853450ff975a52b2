package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ErrNoDocker says that the docker command is nowhere to be found.
var ErrNoDocker = errors.New("the docker command is neither in PATH nor where installers put it")

// Docker runs the laptop's docker command, which knows nothing of the caller's
// DOCKER_* variables but where its configuration is.
func (w *World) Docker(ctx context.Context, config string, stdin []byte, args []string) (host.Output, error) {
	path, err := w.dockerPath()
	if err != nil {
		return host.Output{}, err
	}
	return w.Laptop.Run(ctx, host.Cmd{Argv: append([]string{path}, args...), Env: dockercli.Env(config), Stdin: stdin})
}

// HasDocker says whether there is a docker command.
func (w *World) HasDocker() bool {
	_, err := w.dockerPath()
	return err == nil
}

func (w *World) dockerPath() (string, error) {
	path, err := w.Laptop.LookPath(dockercli.Program, dockercli.Paths(w.Laptop.OS())...)
	if err != nil {
		return "", ErrNoDocker
	}
	return path, nil
}

// DockerConfig is the caller's directory for docker's configuration, absolute; ""
// is the usual one.
func (w *World) DockerConfig() (string, error) {
	dir := w.Getenv("DOCKER_CONFIG")
	if dir == "" {
		return "", nil
	}
	return filepath.Abs(dir)
}

// Contexts lists docker's contexts.
func (w *World) Contexts(ctx context.Context, config string) ([]dockercli.Listed, error) {
	out, err := w.Docker(ctx, config, nil, dockercli.ListContexts())
	if err != nil {
		return nil, fmt.Errorf("listing docker contexts: %w", err)
	}
	return dockercli.ParseList(out.Stdout)
}

// Context finds a docker context, zero if there is none, and names the current one.
func (w *World) Context(ctx context.Context, config, name string) (found dockercli.Listed, current string, err error) {
	all, err := w.Contexts(ctx, config)
	for _, l := range all {
		if l.Name == name {
			found = l
		}
		if l.Current {
			current = l.Name
		}
	}
	return found, current, err
}

// ContextHolds says whether a docker context has this machine's TLS files and
// verifies by them.
func (w *World) ContextHolds(ctx context.Context, config, name string) (bool, error) {
	out, err := w.Docker(ctx, config, nil, dockercli.InspectContext(name))
	if err != nil {
		return false, fmt.Errorf("inspecting docker context %s: %w", name, err)
	}
	c, err := dockercli.ParseContext(out.Stdout)
	if err != nil {
		return false, err
	}
	for _, f := range dockercli.TLSFiles() {
		want, err := w.Laptop.ReadFile(ctx, filepath.Join(w.Machine.CertDir, f))
		if err != nil {
			return false, fmt.Errorf("reading what docker needs to prove itself: %w", err)
		}
		got, err := w.Laptop.ReadFile(ctx, filepath.Join(c.TLSDir, f))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if !slices.Contains(c.Files, f) || !bytes.Equal(got, want) {
			return false, nil
		}
	}
	return !c.SkipVerify, nil
}
