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

// Sudo is how Local becomes root for a Cmd with Root set.
type Sudo struct {
	// Terminal means that sudo may ask for a password on the terminal. Otherwise sudo runs with -n,
	// and if it needs a password, the error is a *SudoError.
	Terminal bool
	// Announce is called with the exact command before it runs.
	Announce func(argv []string)
}

// Local is the computer on which the program runs.
type Local struct {
	sudo Sudo
}

// NewLocal returns the laptop.
func NewLocal(sudo Sudo) *Local { return &Local{sudo: sudo} }

// OS implements Laptop.
func (l *Local) OS() string { return runtime.GOOS }

// Processors returns how many threads of this program can run at the same time.
func Processors() int { return runtime.GOMAXPROCS(0) }

// Run implements Host. When the context ends, it asks the command to stop, and kills it two seconds
// later.
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
		stopLikeShell(cmd, c.Through.Terminal)
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

// command returns argv with c's input and environment, and with the way to stop it.
func (l *Local) command(ctx context.Context, argv []string, c Cmd, asRoot bool) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if asRoot && errors.Is(err, syscall.EPERM) {
			// sudo is root, "so user cannot kill us" (src/sudo.c); it passes the signal on to the
			// command.
			err = exec.Command("sudo", "-n", "kill", strconv.Itoa(cmd.Process.Pid)).Run()
		}
		return err
	}
	cmd.WaitDelay = 2 * time.Second
	if !(c.Root && l.sudo.Terminal) {
		// Ctrl-C at the terminal is for this program only; it stops its commands through the context,
		// in order.
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

// endTime is how long a command that uses the caller's streams may take to stop.
const endTime = 10 * time.Second

// stopLikeShell makes a command stop as if a shell had started it. With a terminal, it must be in
// the terminal's process group to read from it, and gets Ctrl-C from there. Otherwise the command
// and all that it has started receive SIGTERM.
func stopLikeShell(cmd *exec.Cmd, terminal bool) {
	cmd.WaitDelay = endTime
	if terminal {
		cmd.SysProcAttr = nil
		cmd.Cancel = func() error { return nil }
		return
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// refused reports whether exit status 1 came from sudo, because it may not run the command
// (sudo(8), "Exit value"), and not from the command. Lines of sudo begin with its name in every
// language. If there are none, it tests sudo with a harmless command. It does so only afterwards,
// because a sudoers file may allow one command but not the other.
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

// environ returns the program's own environment, changed as in Cmd.Env.
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
