// Package socket is the layer of dockerd's unix socket on this computer: may this user connect to it,
// and does a program listen on it?
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

// probeTime is the timeout of a connection, and of each command.
const probeTime = 2 * time.Second

// State is what was found.
type State struct {
	Path string `json:"path"`
	// Named means that DOCKER_HOST names this socket, and that it is not the default one.
	Named bool `json:"named_by_docker_host,omitempty"`
	// Is is the kind of file: "socket", "file", "directory" or "link"; "" if it is not known.
	Is string `json:"is,omitempty"`

	// Why connecting failed; none of these is set if it did not.
	Missing bool   `json:"missing,omitempty"`
	Refused bool   `json:"refused,omitempty"` // no program listens
	Denied  bool   `json:"denied,omitempty"`
	Busy    bool   `json:"busy,omitempty"`  // the queue of waiting connections is full
	Error   string `json:"error,omitempty"` // another error

	// With Denied only.
	Listing string `json:"listing,omitempty"`  // mode, links, owner and group, as ls -ld prints them
	Group   string `json:"group,omitempty"`    // the socket's group
	User    string `json:"user,omitempty"`     // this user
	InGroup bool   `json:"in_group,omitempty"` // User is in Group, but was not when the session began

	// Start is the command that starts dockerd; nil if it is not known.
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

// kindOf returns the kind of file at a path: see State.Is.
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

// who finds out who may connect. Fields that it cannot find out stay empty.
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
	// POSIX defines the order: mode, links, owner, group. -L follows a link.
	if listing := ask("ls", "-ldL", s.Path); len(listing) > 3 {
		s.Group, s.Listing = listing[3], strings.Join(listing[:4], " ")
	}
	if s.User != "" && s.Group != "" {
		// With a name id prints the groups in the database, without one those of this session.
		s.InGroup = slices.Contains(ask("id", "-Gn", s.User), s.Group) && !slices.Contains(ask("id", "-Gn"), s.Group)
	}
}

// Changes returns none: the user or root must act.
func (State) Changes() []engine.Change { return nil }
