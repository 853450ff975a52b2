package store

import (
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// NameError means that docker-machine would not allow a machine name.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	name := fmt.Sprintf("%q", e.Name)
	if len(e.Name) > 64 {
		name = fmt.Sprintf("%q… (%d bytes)", e.Name[:40], len(e.Name))
	}
	return "invalid machine name " + name + ": letters, digits, dots and dashes, a letter or digit first"
}

// NotFoundError means that the store does not have a machine.
type NotFoundError struct {
	Name  string
	Dir   string   // the store's directory
	Known []string // the machines that it has
	// NoStore means that the store's directory does not exist.
	NoStore bool
}

func (e *NotFoundError) Error() string {
	switch {
	case e.NoStore:
		return fmt.Sprintf("no machine %q: the store %s does not exist", e.Name, e.Dir)
	case len(e.Known) == 0:
		return fmt.Sprintf("no machine %q: the store %s is empty", e.Name, e.Dir)
	}
	return fmt.Sprintf("no machine %q in the store %s; available: %s", e.Name, e.Dir, strings.Join(e.Known, ", "))
}

// CreateUnfinishedError means that docker-machine create has not finished a machine.
type CreateUnfinishedError struct{ Name string }

func (e *CreateUnfinishedError) Error() string {
	return fmt.Sprintf("docker-machine create did not finish machine %q", e.Name)
}

// ConfigError means that a config.json cannot be read, or is not that of a machine.
type ConfigError struct {
	Path string
	Err  error
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("reading %s: %v", e.Path, host.WithoutPath(e.Err, e.Path))
}
func (e *ConfigError) Unwrap() error { return e.Err }

// VersionError means that a config.json was written by a newer docker-machine.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("ConfigVersion %d is newer than %d, the newest that is known", e.Version, newestVersion)
}
