package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// Sudo is how Local gets root's rights for a Cmd with Root set.
type Sudo struct {
	// Terminal reports that sudo may ask for a password on the terminal. Without
	// it sudo is run with -n and an unanswered password is a *SudoError.
	Terminal bool
	// Announce is called with the exact command before it is run.
	Announce func(argv []string)
}

// Local is the computer that the program itself runs on.
type Local struct {
	sudo Sudo
}

// NewLocal returns the laptop.
func NewLocal(sudo Sudo) *Local { return &Local{sudo: sudo} }

// OS implements Laptop.
func (l *Local) OS() string { return runtime.GOOS }

// Processors is how many things this program can compute at once.
func Processors() int { return runtime.GOMAXPROCS(0) }

// Run implements Host. When the context ends, the command is asked to stop and
// is killed two seconds later.
func (l *Local) Run(ctx context.Context, c Cmd) (Output, error) {
	if len(c.Argv) == 0 {
		return Output{}, errors.New("no command given")
	}
	argv, sudo := c.Argv, append([]string{"sudo"}, c.Argv...)
	asRoot := c.Root && os.Geteuid() != 0
	if asRoot {
		argv = sudo
		if !l.sudo.Terminal {
			argv = append([]string{"sudo", "-n"}, c.Argv...)
		}
		if l.sudo.Announce != nil {
			l.sudo.Announce(sudo)
		}
	}
	cmd := l.command(ctx, argv, c, asRoot)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	switch {
	case c.Through != nil:
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Through.Stdin, c.Through.Stdout, c.Through.Stderr
		inPlace(cmd, c.Through.Terminal)
	case c.Stream != nil:
		shared := &lockedWriter{w: c.Stream}
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, shared), io.MultiWriter(&stderr, shared)
	}
	err := cmd.Run()
	out := Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return out, fmt.Errorf("%s: %w", c, context.Cause(ctx))
	case asRoot && (!errors.As(err, &exit) || exit.ExitCode() == 1 && l.refused(ctx, stderr.String())):
		return out, &SudoError{Argv: sudo}
	case errors.As(err, &exit):
		return out, &CmdError{Argv: c.Argv, Exit: exit.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
	}
	return out, fmt.Errorf("running %s: %w", argv[0], err)
}

// command is argv with the input and the environment of c, and with how it is stopped.
func (l *Local) command(ctx context.Context, argv []string, c Cmd, asRoot bool) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if asRoot && errors.Is(err, syscall.EPERM) {
			// sudo has made itself root in full, "so user cannot kill us" (src/sudo.c); it
			// hands the signal on to the command.
			err = exec.Command("sudo", "-n", "kill", strconv.Itoa(cmd.Process.Pid)).Run()
		}
		return err
	}
	cmd.WaitDelay = 2 * time.Second
	if !(c.Root && l.sudo.Terminal) {
		// A Ctrl-C at the terminal is for us: what we have started is stopped
		// through the context, in order, not by the terminal's own signal.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if len(c.Env) > 0 {
		cmd.Env = environ(c.Env)
	}
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	} else if c.Root && l.sudo.Terminal {
		cmd.Stdin = os.Stdin
	}
	return cmd
}

// goodbye is how long a command that runs in the caller's place has to end.
const goodbye = 10 * time.Second

// inPlace makes a command stop as one does that a shell has started. At a
// terminal it must belong to the terminal's group to read from it, and gets the
// Ctrl-C from there. Elsewhere it and all that it has started are asked to stop.
func inPlace(cmd *exec.Cmd, terminal bool) {
	cmd.WaitDelay = goodbye
	if terminal {
		cmd.SysProcAttr = nil
		cmd.Cancel = func() error { return nil }
		return
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// refused reports whether it was sudo that ended with exit status 1, as it does where it
// may not run a command (sudo(8), "Exit value"), and not the command. sudo's lines begin
// with its name in every language. One that says nothing is asked for something harmless:
// not before, since a sudoers file may allow the one and not the other.
func (l *Local) refused(ctx context.Context, stderr string) bool {
	if strings.HasPrefix(strings.TrimSpace(stderr), "sudo") {
		return true
	}
	return !l.sudo.Terminal && exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil
}

// lockedWriter lets stdout and stderr share one writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// environ is the program's own environment with changes as Cmd.Env has them.
func environ(changes []string) []string {
	env := os.Environ()
	for _, change := range changes {
		name, _, set := strings.Cut(change, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if set {
			env = append(env, change)
		}
	}
	return env
}

// ReadFile implements Laptop. What is not a regular file is refused, so that a
// named pipe cannot hang the program.
func (l *Local) ReadFile(_ context.Context, path string) (_ []byte, err error) {
	defer func() { err = fileError(err, path) }()
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = data.ReadFrom(f)
	return data.Bytes(), err
}

// WriteFile implements Laptop. A file that is replaced keeps its mode.
func (l *Local) WriteFile(_ context.Context, path string, data []byte, perm fs.FileMode) (err error) {
	defer func() { err = fileError(err, path) }()
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	// Beside the file: renameio would try out $TMPDIR first, which costs two files
	// more, and is no place for a key.
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(perm), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	uid, gid, ok := owner(path)
	if !ok {
		uid, gid, ok = owner(filepath.Dir(path))
	}
	if ok {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Remove implements Laptop.
func (l *Local) Remove(_ context.Context, path string) error {
	return fileError(os.Remove(path), path)
}

// DialContext implements Host.
func (l *Local) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// LookPath implements Laptop.
func (l *Local) LookPath(name string, also ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return filepath.Abs(path)
	}
	for _, p := range also {
		if found, e := exec.LookPath(p); e == nil {
			return found, nil
		}
	}
	return "", err
}

// ReadDir implements Laptop.
func (l *Local) ReadDir(_ context.Context, dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	return entries, fileError(err, dir)
}

// MkdirAll implements Laptop.
func (l *Local) MkdirAll(_ context.Context, dir string, perm fs.FileMode) error {
	return fileError(makeDir(dir, perm), "")
}

// Append implements Laptop. After an error it cuts the file back, as far as it can.
func (l *Local) Append(_ context.Context, path string, size int64, data []byte) (err error) {
	defer func() { err = fileError(err, path) }()
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return &fs.PathError{Op: "append", Path: path, Err: fmt.Errorf("the file has %d bytes, at least %d were expected", info.Size(), size)}
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = f.WriteAt(data, size)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// Lock implements Laptop.
func (l *Local) Lock(ctx context.Context, path string, waiting func()) (func(), error) {
	if err := makeDir(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, WithoutPath(fileError(err, ""), path))
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err == nil {
		err = inherit(path)
	}
	if err == nil && !ok {
		if waiting != nil {
			waiting()
		}
		ok, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("locking %s: %w", path, WithoutPath(fileError(err, ""), path))
	}
	if !ok {
		return nil, fmt.Errorf("locking %s: %w", path, ctx.Err())
	}
	return func() { _ = lock.Unlock() }, nil
}
