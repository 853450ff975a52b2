package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
		if _, err := l.LookPath("sudo"); err != nil {
			return Output{}, &SudoError{Argv: sudo, Missing: true}
		}
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

// endTime is how long a command that runs in the caller's place has to end.
const endTime = 10 * time.Second

// inPlace makes a command stop as one does that a shell has started. At a
// terminal it must belong to the terminal's group to read from it, and gets the
// Ctrl-C from there. Elsewhere it and all that it has started are asked to stop.
func inPlace(cmd *exec.Cmd, terminal bool) {
	cmd.WaitDelay = endTime
	if terminal {
		cmd.SysProcAttr = nil
		cmd.Cancel = func() error { return nil }
		return
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// refused reports whether it was sudo that ended with exit status 1, as it does where it
// may not run a command (sudo(8), "Exit value"), and not the command. sudo's lines begin
// with its name in every language. One that prints nothing is asked for something harmless:
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
