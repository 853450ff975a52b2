// Package socket is the layer of a docker host on this computer: may this user connect to
// dockerd's unix socket, and does anything listen there?
package socket

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// probeTime bounds a connection, and each command.
const probeTime = 2 * time.Second

// State is what was found.
type State struct {
	Path string `json:"path"`
	// Named reports that DOCKER_HOST names this socket, and that it is not dockerd's default one.
	Named bool `json:"named_by_docker_host,omitempty"`
	// Is is what the path names: "socket", "file", "directory", "link"; "" where it could
	// not be seen.
	Is string `json:"is,omitempty"`
	// How a connection ended: it was made if none of these is set. Busy reports that so many
	// connections wait already that no other can be made.
	Missing bool   `json:"missing,omitempty"`
	Refused bool   `json:"refused,omitempty"`
	Denied  bool   `json:"denied,omitempty"`
	Busy    bool   `json:"busy,omitempty"`
	Error   string `json:"error,omitempty"` // another

	// Only where the connection is denied: who may connect, and who this user is. InGroup
	// reports that the user is a member of the socket's group, which this session does not
	// know yet.
	Listing string `json:"listing,omitempty"` // of ls -ld
	Group   string `json:"group,omitempty"`
	User    string `json:"user,omitempty"`
	InGroup bool   `json:"in_group,omitempty"`

	// Start starts what listens there; nil where nothing is known that does.
	Start []string `json:"start,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "socket", Local: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Path: t.Socket, Named: t.Socket != target.DefaultSocket && t.Getenv("DOCKER_HOST") == "unix://"+t.Socket}
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime)
	defer cancel()
	err := connect(ctx, t)
	if err == nil {
		s.Is = "socket"
		return s, nil
	}
	s.Is = kindOf(ctx, t.Laptop, s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Missing = true
	case errors.Is(err, fs.ErrPermission):
		s.Denied = true
		s.who(ctx, t.Laptop)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		s.Refused = true
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded):
		s.Busy = true
	default:
		s.Error = err.Error()
	}
	if s.Missing || s.Refused {
		s.Start = starter(ctx, t.Laptop, s.Path)
	}
	return s, nil
}

func connect(ctx context.Context, t *target.Target) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := t.Docker(ctx)
	if err == nil {
		conn.Close()
	}
	return err
}

// kindOf is what a path names, as its directory lists it.
func kindOf(ctx context.Context, laptop host.Laptop, path string) string {
	entries, _ := laptop.ReadDir(ctx, filepath.Dir(path))
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(path) })
	if i < 0 {
		return ""
	}
	switch mode := entries[i].Type(); {
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode.IsDir():
		return "directory"
	}
	return "file"
}

// who finds out who may connect. What it cannot find out stays empty.
func (s *State) who(ctx context.Context, laptop host.Laptop) {
	ask := func(argv ...string) []string {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		out, err := laptop.Run(ctx, host.Cmd{Argv: argv, Env: []string{"LC_ALL=C"}})
		if err != nil {
			return nil
		}
		return strings.Fields(string(out.Stdout))
	}
	if user := ask("id", "-un"); len(user) == 1 {
		s.User = user[0]
	}
	// POSIX: mode, links, owner, group; -L follows a link.
	if listing := ask("ls", "-ldL", s.Path); len(listing) > 3 {
		s.Group, s.Listing = listing[3], strings.Join(listing[:4], " ")
	}
	if s.User != "" && s.Group != "" {
		// With a name, id reads the database of groups, else what this session has.
		s.InGroup = slices.Contains(ask("id", "-Gn", s.User), s.Group) && !slices.Contains(ask("id", "-Gn"), s.Group)
	}
}

// What is in the way here is the user's or root's to change.
func (State) Changes() []engine.Change { return nil }
