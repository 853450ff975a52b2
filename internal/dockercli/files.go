package dockercli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// DefaultContext is the context that always exists: DOCKER_HOST or, if that is not set, the local
// socket.
const DefaultContext = "default"

// NoContextError means that a docker context does not exist. Known are those that do.
type NoContextError struct {
	Name  string
	Known []string
}

func (e *NoContextError) Error() string { return fmt.Sprintf("there is no docker context %q", e.Name) }

// CurrentContext returns the context that `docker context use` chose, from config.json in docker's
// configuration directory config. It does not run docker.
func CurrentContext(ctx context.Context, laptop host.Laptop, config string) string {
	var c struct{ CurrentContext string }
	data, err := laptop.ReadFile(ctx, filepath.Join(config, "config.json"))
	if err != nil || json.Unmarshal(data, &c) != nil || c.CurrentContext == "" {
		return DefaultContext
	}
	return c.CurrentContext
}

// meta is the content of a context's file, contexts/meta/SHA256-OF-NAME/meta.json in docker's
// configuration directory (docker/cli, cli/context/store).
type meta struct {
	Name      string
	Endpoints map[string]struct {
		Host          string
		SkipTLSVerify bool
	}
}

// ReadContext reads a context from docker's configuration directory, without running docker. The
// error is a *NoContextError if it does not exist.
func ReadContext(ctx context.Context, laptop host.Laptop, config, name string) (Context, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	path := filepath.Join(config, "contexts", "meta", id, "meta.json")
	data, err := laptop.ReadFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return Context{}, &NoContextError{Name: name, Known: contextNames(ctx, laptop, config)}
	}
	var m meta
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return Context{}, fmt.Errorf("reading docker context %s: %w", name, err)
	}
	e := m.Endpoints["docker"]
	c := Context{Name: name, Host: e.Host, SkipVerify: e.SkipTLSVerify, TLSDir: filepath.Join(config, "contexts", "tls", id, "docker")}
	files, err := laptop.ReadDir(ctx, c.TLSDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Context{}, fmt.Errorf("reading docker context %s: %w", name, err)
	}
	for _, f := range files {
		c.Files = append(c.Files, f.Name())
	}
	return c, nil
}

// contextNames returns the names of all contexts that can be read.
func contextNames(ctx context.Context, laptop host.Laptop, config string) (names []string) {
	dir := filepath.Join(config, "contexts", "meta")
	entries, _ := laptop.ReadDir(ctx, dir)
	for _, e := range entries {
		var m meta
		if data, err := laptop.ReadFile(ctx, filepath.Join(dir, e.Name(), "meta.json")); err == nil && json.Unmarshal(data, &m) == nil && m.Name != "" {
			names = append(names, m.Name)
		}
	}
	return names
}
