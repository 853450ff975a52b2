package hosttest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Computer is a laptop that does what a transcript says. Several goroutines may use it.
type Computer struct {
	// Dial, if not nil, is called first for every connection; if it returns nil, nil, the transcript
	// decides.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	scenes map[string]*scene

	mu       sync.Mutex
	now      string // the current scene
	ran      []string
	unlisted []string
	written  map[string]file // err fs.ErrNotExist means that the file was removed
	locks    map[string]chan struct{}
}

var _ host.Laptop = (*Computer)(nil)

// Open reads a transcript. A command that is not in it fails the test.
func Open(t testing.TB, file string) *Computer {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return New(t, data)
}

// New is Open for a transcript that is not in a file.
func New(t testing.TB, transcript []byte) *Computer {
	t.Helper()
	c, err := Parse(transcript)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, cmd := range c.Unlisted() {
			t.Errorf("not in the transcript: -- %s --", cmd)
		}
	})
	return c
}

// Become replaces the transcript from now on.
func (c *Computer) Become(transcript []byte) error {
	other, err := Parse(transcript)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scenes, c.now = other.scenes, ""
	return nil
}

// Ran returns the commands that have run, as section names without marks.
func (c *Computer) Ran() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ran)
}

// Unlisted returns the commands that the transcript does not have, or not with that input.
func (c *Computer) Unlisted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.unlisted)
}

// Scene returns the current scene, to which commands have led; "" at first.
func (c *Computer) Scene() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Written returns what has been written so far, by path; nil for a removed file.
func (c *Computer) Written() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]byte{}
	for p, f := range c.written {
		out[p] = f.data
	}
	return out
}

// OS implements host.Laptop.
func (c *Computer) OS() string { return c.facts("os")[0][0] }

// facts returns the facts of a kind: the scene's if it has any, otherwise the initial ones.
func (c *Computer) facts(kind string) [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.scenes[c.now].facts[kind]; len(f) > 0 {
		return f
	}
	return c.scenes[""].facts[kind]
}

// Run implements host.Host.
func (c *Computer) Run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	if len(cmd.Argv) == 0 || cmd.Argv[0] == "" {
		return host.Output{}, fmt.Errorf("empty command: %w", fs.ErrInvalid)
	}
	k := key(cmd.Argv, cmd.Root)
	c.mu.Lock()
	var listed *command
	for _, s := range []*scene{c.scenes[""], c.scenes[c.now]} {
		for _, k := range []string{k, k + input + string(cmd.Stdin)} {
			if s.commands[k] != nil {
				listed = s.commands[k]
			}
		}
	}
	c.ran = append(c.ran, k)
	if listed == nil {
		c.unlisted = append(c.unlisted, k)
		c.mu.Unlock()
		return host.Output{}, fmt.Errorf("running %s: not in the transcript: %w", k, fs.ErrNotExist)
	}
	if listed.next != "" && ctx.Err() == nil {
		c.now = listed.next
	}
	c.mu.Unlock()
	if listed.hang {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return host.Output{}, fmt.Errorf("%s: %w", cmd, context.Cause(ctx))
	}
	out := host.Output{Stdout: []byte(listed.stdout), Stderr: []byte(listed.stderr)}
	if cmd.Through != nil {
		io.WriteString(cmd.Through.Stdout, listed.stdout)
		io.WriteString(cmd.Through.Stderr, listed.stderr)
		out = host.Output{}
	}
	if listed.exit != 0 {
		return out, &host.CmdError{Argv: cmd.Argv, Exit: listed.exit, Stdout: listed.stdout, Stderr: listed.stderr}
	}
	return out, nil
}

// file is what lies at a path now.
func (c *Computer) file(p string) file {
	p = path.Clean(p)
	for _, files := range []map[string]file{c.written, c.scenes[c.now].files, c.scenes[""].files} {
		if f, ok := files[p]; ok {
			return f
		}
	}
	return file{err: fs.ErrNotExist}
}

// ReadFile implements host.Laptop.
func (c *Computer) ReadFile(_ context.Context, p string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.file(p)
	if f.err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: f.err}
	}
	return slices.Clone(f.data), nil
}

// WriteFile implements host.Laptop; a file that cannot be read cannot be written either.
func (c *Computer) WriteFile(_ context.Context, p string, data []byte, _ fs.FileMode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.file(p); f.err != nil && f.err != fs.ErrNotExist {
		return &fs.PathError{Op: "write", Path: p, Err: f.err}
	}
	c.put(p, file{data: append([]byte{}, data...)})
	return nil
}

// Append implements host.Laptop.
func (c *Computer) Append(_ context.Context, p string, size int64, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.file(p)
	if f.err == nil && size > int64(len(f.data)) {
		f.err = io.ErrUnexpectedEOF
	}
	if f.err != nil {
		return &fs.PathError{Op: "append", Path: p, Err: f.err}
	}
	c.put(p, file{data: slices.Concat(f.data[:size], data)})
	return nil
}

func (c *Computer) put(p string, f file) {
	if c.written == nil {
		c.written = map[string]file{}
	}
	c.written[path.Clean(p)] = f
}

// Remove implements host.Laptop.
func (c *Computer) Remove(_ context.Context, p string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.file(p); f.err != nil {
		return &fs.PathError{Op: "remove", Path: p, Err: f.err}
	}
	c.put(p, file{err: fs.ErrNotExist})
	return nil
}

// MkdirAll implements host.Laptop: directories exist without being made.
func (c *Computer) MkdirAll(context.Context, string, fs.FileMode) error { return nil }

// ReadDir implements host.Laptop. A directory exists if a file below it does.
func (c *Computer) ReadDir(_ context.Context, dir string) ([]fs.DirEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]bool{}
	for _, files := range []map[string]file{c.scenes[""].files, c.scenes[c.now].files, c.written} {
		for p := range files {
			all[p] = c.file(p).err != fs.ErrNotExist
		}
	}
	prefix := strings.TrimSuffix(path.Clean(dir), "/") + "/"
	found := map[string]fs.DirEntry{}
	for p, there := range all {
		if rest, below := strings.CutPrefix(p, prefix); below && there {
			name, _, isDir := strings.Cut(rest, "/")
			if _, seen := found[name]; !seen || isDir {
				found[name] = entry{name, isDir}
			}
		}
	}
	if len(found) == 0 {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	var out []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[name])
	}
	return out, nil
}

type entry struct {
	name string
	dir  bool
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.dir }
func (e entry) Size() int64                { return 0 }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) Sys() any                   { return nil }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// Lock implements host.Laptop, among the users of this Computer.
func (c *Computer) Lock(ctx context.Context, p string, waiting func()) (func(), error) {
	c.mu.Lock()
	if c.locks == nil {
		c.locks = map[string]chan struct{}{}
	}
	if c.locks[p] == nil {
		c.locks[p] = make(chan struct{}, 1)
	}
	lock := c.locks[p]
	c.mu.Unlock()
	select {
	case lock <- struct{}{}:
	default:
		if waiting != nil {
			waiting()
		}
		select {
		case lock <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock %s: %w", p, context.Cause(ctx))
		}
	}
	return sync.OnceFunc(func() { <-lock }), nil
}

// LookPath implements host.Laptop: a path that "computer" names, else a file of
// the transcript, else /usr/bin for any program that a command of it runs.
func (c *Computer) LookPath(name string, also ...string) (string, error) {
	for _, f := range c.facts("path") {
		if f[0] == name {
			return strings.Join(f[1:], " "), nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.scenes {
		for _, cmd := range s.commands {
			if cmd.argv[0] == name {
				return "/usr/bin/" + name, nil
			}
		}
	}
	for _, p := range also {
		if c.file(p).err == nil {
			return p, nil
		}
		for _, s := range c.scenes {
			for _, cmd := range s.commands {
				if cmd.argv[0] == p {
					return p, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s: not in PATH: %w", name, fs.ErrNotExist)
}
