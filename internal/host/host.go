// Package host is the only way to the outside: whatever the program does to a computer, the laptop
// or a docker host, goes through a Host.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
)

// Operating systems, as Laptop.OS names them; the values are those of GOOS.
const (
	Darwin = "darwin"
	Linux  = "linux"
)

// Host is a computer on which commands run: the laptop or a docker host. Every method honours the
// context's deadline. Errors wrap the operating system's, so that errors.Is works with
// fs.ErrNotExist, fs.ErrPermission and the like.
type Host interface {
	// Run runs one command until it exits. An exit status other than 0 is a *CmdError, and Output
	// has what was printed until then.
	Run(ctx context.Context, cmd Cmd) (Output, error)
	// DialContext connects from that computer; network is "tcp" or "unix".
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Laptop is the computer on which the program runs. Paths are absolute.
type Laptop interface {
	Host
	// OS returns the operating system as a value ("darwin", "linux"). It is used in place of build
	// constraints, so that all code for macOS is tested on Linux, too.
	OS() string
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// WriteFile replaces a file in one step: readers see either the old or the new content, even
	// after a power loss. It follows symbolic links.
	WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error
	// Remove deletes a file. If there is none, the error is fs.ErrNotExist.
	Remove(ctx context.Context, path string) error
	// LookPath finds an executable by name in PATH. If it is not there, it returns the first of the
	// absolute paths in also that exists.
	LookPath(name string, also ...string) (string, error)
	// PortUse reports whether this user could now listen on 127.0.0.1:port.
	PortUse(ctx context.Context, port int) (PortState, error)
	// Links lists the network interfaces.
	Links(ctx context.Context) ([]Link, error)
	// RouteTo asks the kernel for the route to ip, without sending a packet. The error is
	// errors.ErrUnsupported if only a command knows it (macOS).
	RouteTo(ctx context.Context, ip netip.Addr) (Route, error)
	// Processes lists the running programs of all users.
	Processes(ctx context.Context) ([]Process, error)
	// Ancestors returns the names of the processes that called this program, the parent first.
	Ancestors(ctx context.Context) ([]string, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(ctx context.Context, dir string) ([]fs.DirEntry, error)
	// MkdirAll makes a directory and its missing parents.
	MkdirAll(ctx context.Context, dir string, perm fs.FileMode) error
	// Append replaces everything after a file's first size bytes with data, and syncs it to disk.
	// After an error the first size bytes are unchanged, and part of data may follow them.
	Append(ctx context.Context, path string, size int64, data []byte) error
	// Lock takes the exclusive lock of the file at path; it makes the file and its directory if
	// needed. It waits until ctx ends. If another process holds the lock, it calls waiting once,
	// unless that is nil.
	Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error)
}

// PortState is whether a port can be listened on, or why not.
type PortState string

const (
	PortFree       PortState = "free"
	PortTaken      PortState = "taken"      // a program listens on it
	PortPrivileged PortState = "privileged" // the operating system denies it to this user
)

// Cmd is one command. It runs without a shell: the program gets Argv unchanged.
type Cmd struct {
	Argv  []string
	Stdin []byte
	// Root means that the command needs root: unless the caller is root, it runs through sudo.
	Root bool
	// Env changes the environment: "KEY=value" sets a variable; on a laptop, "KEY" alone removes it.
	Env []string
	// Stream, if not nil, also receives what the command prints to stdout and stderr, while it runs.
	// Only a laptop supports it.
	Stream io.Writer
	// Through, if not nil, connects the command to the caller's streams, as if a shell had started
	// it. Stdin and Stream are then ignored, and Output is empty. Only a laptop supports it.
	Through *Streams
}

// Streams are the caller's streams for a command.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal means that Ctrl-C at a terminal reaches the command, too.
	Terminal bool
}

func (c Cmd) String() string { return strings.Join(c.Argv, " ") }

// Output is what a command printed.
type Output struct{ Stdout, Stderr []byte }

// CmdError is the error of a command that exited with another status than 0.
type CmdError struct {
	Argv   []string
	Exit   int
	Stdout string
	Stderr string
}

func (e *CmdError) Error() string {
	msg := strings.TrimSpace(e.Stderr)
	if msg == "" {
		msg = strings.TrimSpace(e.Stdout)
	}
	if msg == "" {
		return fmt.Sprintf("%s: exit status %d", strings.Join(e.Argv, " "), e.Exit)
	}
	return fmt.Sprintf("%s: exit status %d: %s", strings.Join(e.Argv, " "), e.Exit, msg)
}

// ErrNoSudo means that a command needs root, and that sudo cannot ask for a password: there is no
// terminal and no cached credential.
var ErrNoSudo = errors.New("needs root, and sudo cannot ask for a password here")

// SudoError is ErrNoSudo with the exact command for the user to run, including "sudo".
type SudoError struct {
	Argv    []string
	Missing bool // sudo is not installed
}

func (e *SudoError) Error() string {
	if e.Missing {
		return strings.Join(e.Argv[1:], " ") + ": needs root, and there is no sudo here"
	}
	return strings.Join(e.Argv, " ") + ": " + ErrNoSudo.Error()
}
func (e *SudoError) Unwrap() error { return ErrNoSudo }

// Link is a network interface of the laptop.
type Link struct {
	Name  string         `json:"name"`
	Kind  string         `json:"kind,omitempty"` // Linux: "tun", "veth", "bridge", "wireguard" …; "" if unknown
	Up    bool           `json:"up"`
	Addrs []netip.Prefix `json:"addrs,omitempty"` // address with its own prefix length
}

// Route is the route that a packet takes.
type Route struct {
	Dst     netip.Prefix `json:"dst"`               // the matching route's destination; 0.0.0.0/0 is the default route
	Link    string       `json:"link"`              // name of the outgoing interface
	Gateway netip.Addr   `json:"gateway,omitempty"` // next hop; zero if the destination is on the link
}

// Process is a running program of any user.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"` // base name of the executable
	Args string `json:"args,omitempty"`
	// Foreign means that it belongs to another user.
	Foreign bool `json:"foreign,omitempty"`
}
