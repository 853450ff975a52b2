// Package host is the program's only door to the outside: everything that it
// can do to a computer, the laptop or a docker host, goes through a Host.
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

// Operating systems as Host.OS names them; the values are those of GOOS.
const (
	Darwin = "darwin"
	Linux  = "linux"
)

// Host is a computer that commands run on, the laptop or a docker host. Every method
// honours the context's deadline. Errors wrap the operating system's, so that errors.Is
// works with fs.ErrNotExist, fs.ErrPermission and the like.
type Host interface {
	// Run runs one command to its end. A command that ends with another exit
	// status than 0 is a *CmdError, and Output holds what it had printed.
	Run(ctx context.Context, cmd Cmd) (Output, error)
	// DialContext connects as seen from that host; network is "tcp" or "unix".
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Laptop is the computer that the program runs on. Paths are absolute.
type Laptop interface {
	Host
	// OS is the operating system as a value ("darwin", "linux"), never a build
	// constraint: every path for macOS is thereby tested on Linux.
	OS() string
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// WriteFile replaces a file in one step: readers see the old content or the
	// new, after a power loss too. Symbolic links are followed.
	WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error
	// Remove deletes a file; a file that is not there is fs.ErrNotExist.
	Remove(ctx context.Context, path string) error
	// LookPath finds an executable by name in PATH, or else the first that
	// exists of the absolute paths in also.
	LookPath(name string, also ...string) (string, error)
	// PortUse reports whether this user could listen on 127.0.0.1:port right now.
	PortUse(ctx context.Context, port int) (PortState, error)
	// Links lists the network interfaces.
	Links(ctx context.Context) ([]Link, error)
	// RouteTo asks the kernel which way a packet to ip would take, without
	// sending one. errors.ErrUnsupported where only a command knows (macOS).
	RouteTo(ctx context.Context, ip netip.Addr) (Route, error)
	// Processes lists the running programs of every user, for "who is this".
	Processes(ctx context.Context) ([]Process, error)
	// Ancestors names the processes that called this program, the parent first.
	Ancestors(ctx context.Context) ([]string, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(ctx context.Context, dir string) ([]fs.DirEntry, error)
	// MkdirAll makes a directory and those above it that are missing.
	MkdirAll(ctx context.Context, dir string, perm fs.FileMode) error
	// Append replaces what lies behind a file's first size bytes with data, so that it
	// lasts through a power loss. On an error the first size bytes are as before, and
	// part of data may lie behind them.
	Append(ctx context.Context, path string, size int64, data []byte) error
	// Lock takes the exclusive lock that the file at path stands for, and makes
	// the file and its directory where needed. It waits until ctx ends; waiting,
	// if not nil, is called once when another process holds the lock.
	Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error)
}

// PortState is what keeps a port from being listened on, if anything does.
type PortState string

const (
	PortFree       PortState = "free"
	PortTaken      PortState = "taken"      // a program listens on it
	PortPrivileged PortState = "privileged" // the operating system does not let this user have it
)

// Cmd is one command. There is no shell in between: Argv is what the program gets.
type Cmd struct {
	Argv  []string
	Stdin []byte
	// Root asks for root's rights: nothing is added when the caller has them,
	// else the command is run through sudo.
	Root bool
	// Env is added to the environment, "KEY=value"; on a laptop "KEY" alone is
	// taken out of it.
	Env []string
	// Stream, if not nil, also gets what the command prints, stdout and stderr,
	// while it runs. Only a laptop streams.
	Stream io.Writer
	// Through, if not nil, has the command read and write the caller's streams
	// while it runs, as if a shell had started it. Stdin and Stream are not used,
	// and Output is empty. Only a laptop has such streams.
	Through *Streams
}

// Streams are those of a command that runs in the caller's place.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal reports that a terminal sends its Ctrl-C to the command, too.
	Terminal bool
}

func (c Cmd) String() string { return strings.Join(c.Argv, " ") }

// Output is what a command printed.
type Output struct{ Stdout, Stderr []byte }

// CmdError is a command that ran and ended badly.
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

// ErrNoSudo reports that a command needs root's rights, and that no user can be
// asked for a password: no terminal, no cached credential.
var ErrNoSudo = errors.New("needs root, and sudo cannot ask for a password here")

// SudoError is ErrNoSudo with the exact command to run by hand, "sudo" included.
type SudoError struct {
	Argv    []string
	Missing bool // there is no sudo
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
	Kind  string         `json:"kind,omitempty"` // Linux: "tun", "veth", "bridge", "wireguard" …; "" where unknown
	Up    bool           `json:"up"`
	Addrs []netip.Prefix `json:"addrs,omitempty"` // address with its own prefix length
}

// Route is the way that a packet takes.
type Route struct {
	Dst     netip.Prefix `json:"dst"`               // the matching route's destination; 0.0.0.0/0 is the default route
	Link    string       `json:"link"`              // name of the outgoing interface
	Gateway netip.Addr   `json:"gateway,omitempty"` // next hop; zero when the destination is on the link
}

// Process is a running program of any user.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"` // base name of the executable
	Args string `json:"args,omitempty"`
	// Foreign reports that it is another user's.
	Foreign bool `json:"foreign,omitempty"`
}
