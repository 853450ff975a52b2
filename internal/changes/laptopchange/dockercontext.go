// Package laptopchange has the changes to the laptop: docker contexts and services.
package laptopchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// SetContext creates or changes a docker context, so that it points at the machine's endpoint.
type SetContext struct {
	Machine  string
	Name     string
	Endpoint string // its URL
	Dir      string // the directory of the TLS files, which docker copies
	Config   string `json:",omitempty"` // DOCKER_CONFIG; "" for the default directory

	// Backup sets the other fields. None means that there was no context. Otherwise Saved is the
	// file (mode 0600) to which docker exported it: it contains a private key, which must not be in
	// the journal.
	None        bool   `json:",omitempty"`
	OldEndpoint string `json:",omitempty"`
	Saved       string `json:",omitempty"`
	// WasCurrent means that it was docker's current context.
	WasCurrent bool `json:",omitempty"`
}

func (c *SetContext) About() engine.About {
	return engine.About{Kind: "set-context", Doing: fmt.Sprintf("pointing docker context %s at %s", c.Name, c.Endpoint)}
}

func (c *SetContext) String() string {
	return fmt.Sprintf("point docker context %s at %s", c.Name, c.Endpoint)
}

func (c *SetContext) Backup(ctx context.Context, t *target.Target) error {
	old, current, err := t.DockerCLI.Context(ctx, c.Config, c.Name)
	if err != nil {
		return err
	}
	if c.None = old.Name == ""; c.None {
		return nil
	}
	c.OldEndpoint, c.WasCurrent = old.Endpoint, current == c.Name
	out, err := t.DockerCLI.Run(ctx, c.Config, nil, dockercli.ExportContextArgs(c.Name))
	if err != nil {
		return fmt.Errorf("saving docker context %s: %w", c.Name, err)
	}
	c.Saved = filepath.Join(t.State(), "contexts", rand.Text()+".tar")
	return host.WriteState(ctx, t.Laptop, c.Saved, out.Stdout)
}

func (c *SetContext) Apply(ctx context.Context, t *target.Target) error {
	args := dockercli.UpdateContextArgs(c.Name, c.Endpoint, c.Dir)
	if c.None {
		args = dockercli.CreateContextArgs(c.Name, "docker-machine's "+c.Machine+", made by docker-vpn-helper", c.Endpoint, c.Dir)
	}
	if _, err := t.DockerCLI.Run(ctx, c.Config, nil, args); err != nil {
		return fmt.Errorf("making docker context %s: %w", c.Name, err)
	}
	return nil
}

// Revert restores the context, or removes the one that Apply created. If it points elsewhere by
// now, it stays. docker does not import a context over an existing one, so the context is removed
// first; if a killed Revert left it missing, it is imported again from the copy.
func (c *SetContext) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	now, current, err := t.DockerCLI.Context(ctx, c.Config, c.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case now.Name == "" && c.None:
		return nil, c.forget(ctx, t)
	case !c.None && now.Endpoint == c.OldEndpoint && c.OldEndpoint != c.Endpoint:
		// It is restored. A Revert that was killed at that point has not made it current again.
		if _, err := t.Laptop.ReadFile(ctx, c.Saved); err == nil && c.WasCurrent && current == defaultContext {
			if _, err := t.DockerCLI.Run(ctx, c.Config, nil, dockercli.UseContextArgs(c.Name)); err != nil {
				return nil, fmt.Errorf("making docker context %s the current one again: %w", c.Name, err)
			}
		}
		return nil, c.forget(ctx, t)
	case now.Name != "" && now.Endpoint != c.Endpoint:
		return []string{fmt.Sprintf("docker context %s leads to %s since and stays", c.Name, now.Endpoint)}, c.forget(ctx, t)
	case c.None:
		_, err := t.DockerCLI.Run(ctx, c.Config, nil, dockercli.RemoveContextArgs(c.Name))
		return nil, err
	}
	saved, err := t.Laptop.ReadFile(ctx, c.Saved)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it was restored before
	}
	if err != nil {
		return nil, fmt.Errorf("reading the old docker context %s: %w", c.Name, err)
	}
	var steps [][]string
	if now.Name != "" {
		steps = append(steps, dockercli.RemoveContextArgs(c.Name))
	}
	steps = append(steps, dockercli.ImportContextArgs(c.Name))
	if current == c.Name || c.WasCurrent && current == defaultContext {
		steps = append(steps, dockercli.UseContextArgs(c.Name))
	}
	for _, args := range steps {
		if _, err := t.DockerCLI.Run(ctx, c.Config, saved, args); err != nil {
			return nil, fmt.Errorf("putting docker context %s back: %w", c.Name, err)
		}
	}
	return nil, c.forget(ctx, t)
}

// forget removes the saved copy with the private key.
func (c *SetContext) forget(ctx context.Context, t *target.Target) error {
	if c.Saved == "" {
		return nil
	}
	if err := t.Laptop.Remove(ctx, c.Saved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// defaultContext is the context that docker uses if none is chosen.
const defaultContext = "default"

// UseContext makes a docker context the current one.
type UseContext struct {
	Name     string
	Config   string `json:",omitempty"` // DOCKER_CONFIG; "" for the default directory
	Previous string `json:",omitempty"` // the current context, as Backup found it
}

func (c *UseContext) About() engine.About {
	return engine.About{Kind: "use-context", Doing: "making docker context " + c.Name + " the current one"}
}

func (c *UseContext) String() string { return "make docker context " + c.Name + " the current one" }

func (c *UseContext) Backup(ctx context.Context, t *target.Target) error {
	_, current, err := t.DockerCLI.Context(ctx, c.Config, c.Name)
	c.Previous = current
	return err
}

func (c *UseContext) Apply(ctx context.Context, t *target.Target) error {
	_, err := t.DockerCLI.Run(ctx, c.Config, nil, dockercli.UseContextArgs(c.Name))
	return err
}

// Revert makes the previous context current again, unless another one has been chosen since.
func (c *UseContext) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	all, err := t.DockerCLI.Contexts(ctx, c.Config)
	if err != nil || c.Previous == c.Name {
		return nil, err
	}
	back := defaultContext
	for _, l := range all {
		if l.Current && l.Name != c.Name {
			return nil, nil
		}
		if l.Name == c.Previous {
			back = c.Previous
		}
	}
	_, err = t.DockerCLI.Run(ctx, c.Config, nil, dockercli.UseContextArgs(back))
	return nil, err
}
