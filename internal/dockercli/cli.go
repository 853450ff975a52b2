package dockercli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
)

// ErrMissing means that the laptop has no docker command.
var ErrMissing = errors.New("the docker command is neither in PATH nor where installers put it")

// apiTime is how long docker may take to print its API version. Only advice depends on it.
const apiTime = 2 * time.Second

// CLI runs the laptop's docker command. Where a method takes config, that is docker's configuration
// directory; "" means the default one.
type CLI struct {
	laptop host.Laptop
	api    memo.Of[API] // never forgotten, since a run does not change it
}

// New returns the CLI of a laptop.
func New(laptop host.Laptop) *CLI { return &CLI{laptop: laptop} }

// Run runs docker, without those of the caller's DOCKER_* variables that would make it use another
// daemon or configuration.
func (c *CLI) Run(ctx context.Context, config string, stdin []byte, args []string) (host.Output, error) {
	path, err := c.path()
	if err != nil {
		return host.Output{}, err
	}
	return c.laptop.Run(ctx, host.Cmd{Argv: append([]string{path}, args...), Env: Env(config), Stdin: stdin})
}

// Installed reports whether there is a docker command.
func (c *CLI) Installed() bool {
	_, err := c.path()
	return err == nil
}

// API returns the newest API version that the docker command supports. As for docker itself,
// DOCKER_API_VERSION limits it.
func (c *CLI) API(ctx context.Context) (API, error) {
	return c.api.Get(ctx, func() (API, error) {
		ctx, cancel := context.WithTimeout(ctx, apiTime)
		defer cancel()
		out, err := c.Run(ctx, "", nil, ClientAPIArgs())
		if api, ok := ParseAPI(string(out.Stdout)); ok {
			return api, nil
		}
		var exit *host.CmdError
		if err == nil || errors.As(err, &exit) {
			err = fmt.Errorf("docker does not print which API it speaks: %q", out.Stdout)
		}
		return API{}, err
	})
}

// SurelyFits reports whether the docker command can talk to a daemon, as far as its build
// information shows. It does not run the command. If it returns false, they may still fit: see API.
// It ignores DOCKER_API_VERSION.
func (c *CLI) SurelyFits(ctx context.Context, daemon API) bool {
	reader, ok := c.laptop.(host.BuildReader)
	path, err := c.path()
	if !ok || err != nil || daemon.Less(ClientFloor(API{1, 51})) || !daemon.Less(API{1, 44}) {
		return false
	}
	built, err := reader.BuildInfo(ctx, path)
	return err == nil && Before29(built)
}

// Contexts returns docker's contexts.
func (c *CLI) Contexts(ctx context.Context, config string) ([]Listed, error) {
	out, err := c.Run(ctx, config, nil, ListContextsArgs())
	if err != nil {
		return nil, fmt.Errorf("listing docker contexts: %w", err)
	}
	return ParseList(out.Stdout)
}

// Context returns a docker context, which is zero if it does not exist, and the name of the current
// one.
func (c *CLI) Context(ctx context.Context, config, name string) (found Listed, current string, err error) {
	all, err := c.Contexts(ctx, config)
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

// ContextHolds reports whether a docker context contains the TLS files of certDir and verifies the
// daemon with them.
func (c *CLI) ContextHolds(ctx context.Context, config, name, certDir string) (bool, error) {
	out, err := c.Run(ctx, config, nil, InspectContextArgs(name))
	if err != nil {
		return false, fmt.Errorf("inspecting docker context %s: %w", name, err)
	}
	stored, err := ParseContext(out.Stdout)
	if err != nil {
		return false, err
	}
	for _, f := range TLSFiles() {
		want, err := c.laptop.ReadFile(ctx, filepath.Join(certDir, f))
		if err != nil {
			return false, fmt.Errorf("reading the client's TLS files: %w", err)
		}
		got, err := c.laptop.ReadFile(ctx, filepath.Join(stored.TLSDir, f))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if !slices.Contains(stored.Files, f) || !bytes.Equal(got, want) {
			return false, nil
		}
	}
	return !stored.SkipVerify, nil
}

func (c *CLI) path() (string, error) {
	path, err := c.laptop.LookPath(Program, Paths(c.laptop.OS())...)
	if err != nil {
		return "", ErrMissing
	}
	return path, nil
}
