// Package fakedockerhost replaces the docker host in a VM. It needs no root and no
// virtual machine and runs on any Unix.
//
//   - an SSH server in this process: public keys, exec with the real /bin/sh,
//     direct-tcpip and direct-streamlocal forwarding;
//   - a mutual-TLS Docker Engine API in a process of its own, called dockerd, so
//     that its PID, its command line and kill mean what they mean elsewhere;
//   - an init script or a fake systemctl that starts and stops it.
//
// The guest's file system is a directory, Dir/root. Commands and their standard input are rewritten
// on the way in, so that /etc, /var, /run, /home, /tmp and so on become paths below it, and their
// output is rewritten on the way out. In PATH a command finds only the programs in Dir/bin.
//
// Everything about the guest is a file, so that a test can inspect it and break it:
//
//	Dir/guest.json        Spec
//	Dir/root/…            the guest's files
//	Dir/faults/NAME       a fault, see Fault; the content is its parameter
//	Dir/count/logins      one line for each SSH login
//	Dir/count/dials       one line for each connection to port 22
//	Dir/count/daemon-starts  one line for each start of dockerd that came up
//	Dir/net/PORT          the loopback port behind a port of the guest
//	Dir/containers.json   the containers
//
// The path of Dir must be short, because it contains Unix sockets, whose paths are limited to about
// 100 bytes.
package fakedockerhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// Style is the kind of Linux that the guest imitates.
type Style string

const (
	Boot2docker Style = "boot2docker" // /etc/init.d/docker, /var/lib/boot2docker/profile
	Systemd     Style = "systemd"     // docker.service with docker-machine's 10-machine.conf
)

// Kind is the name by which a VM in fakevbox selects this guest; its parameters are a Params.
const Kind = "embedded"

// Params are a guest's parameters in fakevbox.
type Params struct {
	Dir string `json:"dir"`
}

// Spec is Dir/guest.json.
type Spec struct {
	Name  string `json:"name"`
	Style Style  `json:"style"`
	User  string `json:"user"`
	IP    string `json:"ip"`
	// Engine and API are dockerd's version and its newest API version.
	Engine string `json:"engine"`
	API    string `json:"api"`
	// OldTLS means at most TLS 1.2, as in dockerd before about 18.09.7, built with Go 1.10.
	OldTLS bool `json:"old_tls,omitempty"`
}

// Guest is a docker host, running or not.
type Guest struct {
	dir  string
	spec Spec
	exe  string // this binary: see Main
	macs []string

	mu      sync.Mutex
	up      bool
	stop    chan struct{} // closed when the guest goes down
	sshd    *sshServer
	control net.Listener
	daemon  *daemonProcess
	jobs    map[int]*os.Process // the SSH server's sessions, by PID
}

// Make opens the guest of a VM; it is a fakevbox.Maker.
func Make(vm fakevbox.VM, params json.RawMessage) (fakevbox.Guest, error) {
	var p Params
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, fmt.Errorf("reading the parameters of guest %s: %w", vm.Name, err)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	g, err := Open(p.Dir, exe)
	if err != nil {
		return nil, err
	}
	for _, nic := range vm.NICs {
		g.macs = append(g.macs, nic.MAC)
	}
	return g, nil
}

// Open opens an installed guest. exe is a binary whose main calls Main.
func Open(dir, exe string) (*Guest, error) {
	spec, err := readSpec(dir)
	if err != nil {
		return nil, err
	}
	return &Guest{dir: dir, spec: spec, exe: exe, jobs: map[int]*os.Process{}}, nil
}

func readSpec(dir string) (Spec, error) {
	var spec Spec
	data, err := os.ReadFile(filepath.Join(dir, "guest.json"))
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(data, &spec)
}

// resumeTime limits how long to wait until a resumed dockerd serves: because of a fault it may
// never do so.
const resumeTime = 5 * time.Second

// Start implements fakevbox.Guest. A resumed guest continues where it was: dockerd serves without
// counting as a start.
func (g *Guest) Start(ctx context.Context, resume bool) error {
	resumed, err := g.start(resume)
	if resumed != nil {
		ctx, cancel := context.WithTimeout(ctx, resumeTime)
		defer cancel()
		_ = await.Until(ctx, "dockerd", func() (bool, error) { return Serves(g.dir) || resumed.gone(), nil })
	}
	return err
}

// start returns the dockerd that it has resumed, or nil.
func (g *Guest) start(resume bool) (resumed *daemonProcess, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up {
		return nil, nil
	}
	if !resume {
		if err := g.bootFiles(); err != nil {
			return nil, err
		}
	}
	if g.control, err = listenControl(g); err != nil {
		return nil, fmt.Errorf("starting guest %s: %w", g.spec.Name, err)
	}
	if g.sshd, err = newSSHServer(g); err != nil {
		g.control.Close()
		return nil, fmt.Errorf("starting sshd of guest %s: %w", g.spec.Name, err)
	}
	g.up = true
	g.stop = make(chan struct{})
	if ownProc() {
		go g.keepProc(g.stop)
	}
	if args, err := os.ReadFile(g.path("saved-dockerd")); resume && err == nil {
		os.Remove(g.path("saved-dockerd"))
		return g.startDaemon(strings.Split(string(args), "\n"), true)
	}
	if _, bad := Fault(g.dir, "no-dockerd-at-boot"); resume || bad {
		return nil, nil
	}
	go g.startByInit()
	return nil, nil
}

// Stop implements fakevbox.Guest.
func (g *Guest) Stop(_ context.Context, how fakevbox.How) error {
	g.mu.Lock()
	if !g.up {
		g.mu.Unlock()
		return nil
	}
	g.up = false
	close(g.stop)
	daemon := g.daemon
	g.mu.Unlock()
	g.sshd.close()
	g.control.Close()
	g.killJobs()
	if daemon == nil {
		return nil
	}
	switch how {
	case fakevbox.Save:
		if err := os.WriteFile(g.path("saved-dockerd"), []byte(strings.Join(daemon.args, "\n")), 0o600); err != nil {
			return err
		}
		daemon.kill()
	case fakevbox.PowerOff:
		daemon.kill()
	default:
		daemon.stop()
	}
	return nil
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// Dial implements fakevbox.Guest: it connects to a port of the guest from outside.
func (g *Guest) Dial(ctx context.Context, port int) (net.Conn, error) {
	g.mu.Lock()
	up, sshd := g.up, g.sshd
	g.mu.Unlock()
	if !up {
		return nil, errRefused
	}
	if port == 22 {
		if what, _ := Fault(g.dir, "sshd"); what == "refuse" {
			return nil, errRefused
		}
		return dialLoopback(ctx, sshd.port())
	}
	return dialPort(ctx, g.dir, port)
}

// dialPort connects to a port of the guest other than 22.
func dialPort(ctx context.Context, dir string, port int) (net.Conn, error) {
	data, err := os.ReadFile(filepath.Join(dir, "net", strconv.Itoa(port)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errRefused
	}
	if err != nil {
		return nil, err
	}
	p, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("reading the loopback port behind %d: %w", port, err)
	}
	return dialLoopback(ctx, p)
}

func dialLoopback(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func (g *Guest) path(elem ...string) string {
	return filepath.Join(append([]string{g.dir}, elem...)...)
}

// Fault returns the parameter of a fault, and whether the fault is switched on. The faults are:
//
//	sshd                refuse | silent | close | auth | hostkey | limit N SECONDS
//	sudo                sudo asks for a password
//	sudo-warns          sudo complains that it cannot resolve the host's name, and goes on
//	login-prints        a login script sets the terminal's title, without a line's end
//	no-dockerd-at-boot  dockerd is not started with the guest
//	dockerd-slow        DURATION before dockerd serves
//	dockerd-never       dockerd ends without ever serving
//	dockerd-fail        the next N starts of dockerd end like that
//	dockerd-only-cert   sha256 (hex) of the only certificate file that dockerd starts with
//	dockerd-hang        connections to 2376 are accepted and never answered
//	api-hang            requests are never answered
//	no-client-auth      dockerd asks for no client certificate, as with --tls alone
//	not-docker          2376 is a plain web server
//	clock               SECONDS that the guest's clock is ahead (negative: behind)
func Fault(dir, name string) (string, bool) {
	data, err := os.ReadFile(filepath.Join(dir, "faults", name))
	return strings.TrimSpace(string(data)), err == nil
}

// SetFault switches a fault on.
func SetFault(dir, name, param string) error {
	return os.WriteFile(filepath.Join(dir, "faults", name), []byte(param), 0o600)
}

// ClearFault switches a fault off.
func ClearFault(dir, name string) error {
	err := os.Remove(filepath.Join(dir, "faults", name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Count returns the number of lines in Dir/count/NAME.
func Count(dir, name string) int {
	data, _ := os.ReadFile(filepath.Join(dir, "count", name))
	return strings.Count(string(data), "\n")
}

func count(dir, name, line string) {
	f, err := os.OpenFile(filepath.Join(dir, "count", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}
