// Package lab is a laptop, its VPN and its docker hosts on one Linux machine, for
// root: real network namespaces, a real sshd and dockerd on each docker host, a
// real VPN. Only VirtualBox is a stand-in.
//
// Labs run side by side under different names, nothing in them can reach the
// machine's own network, and Down finds everything that belongs to a lab by its
// name alone, whoever made it and however that ended.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/vpn"
)

// Root is where labs keep their state, each on a tmpfs of its own.
const Root = "/run/docker-vpn-helper-lab"

// Adapter is the host-only adapter on the laptop, LaptopAddr the laptop's address
// there: docker-machine's defaults.
const (
	Adapter    = "vboxnet0"
	LaptopAddr = "192.168.99.1/24"
)

// The laptop's uplink: addresses for documentation (RFC 5737).
const (
	uplinkLaptop  = "198.51.100.2"
	uplinkGateway = "198.51.100.1"
)

// Lab is one lab, by its name.
type Lab struct {
	Name string

	origin string         // the program that Up was given
	group  *os.File       // Group's directory
	leash  io.WriteCloser // its closing ends the lab, see DieWithMe
}

// Up makes a lab. name may be empty for a new unique one; program is the built
// lab command (internal/lab/cmd/lab), of which the lab keeps a copy.
func Up(ctx context.Context, name, program string) (*Lab, error) {
	if name == "" {
		name = strings.ToLower(rand.Text()[:6])
	}
	if !regexp.MustCompile(`^[a-z0-9]{1,12}$`).MatchString(name) {
		return nil, fmt.Errorf("lab name %q: want 1 to 12 of a-z and 0-9", name)
	}
	l := &Lab{Name: name, origin: program}
	if os.Geteuid() != 0 {
		return nil, errors.New("the lab needs root: it makes network namespaces and mounts")
	}
	if err := missing(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.Dir()); err == nil {
		return nil, fmt.Errorf("lab %s is up already", name)
	}
	if err := l.build(ctx, program); err != nil {
		return nil, errors.Join(fmt.Errorf("lab %s: %w", name, err), l.Down(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// Open finds a lab that is up.
func Open(name string) (*Lab, error) {
	l := &Lab{Name: name}
	if _, err := os.Stat(filepath.Join(l.Dir(), "bin", "lab")); err != nil {
		return nil, fmt.Errorf("lab %s is not up: %w", name, err)
	}
	var err error
	l.group, err = l.Group().Open()
	return l, err
}

// DieWithMe makes the lab end with the calling process, however that ends.
func (l *Lab) DieWithMe() error {
	cmd := exec.Command(l.origin, "reap", l.Name) // not the lab's copy: that would keep the tmpfs busy
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if l.leash, err = cmd.StdinPipe(); err != nil {
		return err
	}
	return cmd.Start()
}

// Names lists the labs that are up, or whose remains are still there.
func Names() ([]string, error) {
	entries, err := os.ReadDir(Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Dir is the lab's state. Everything in it is gone after Down.
func (l *Lab) Dir() string { return filepath.Join(Root, l.Name) }

// Home is the home directory of the laptop's user.
func (l *Lab) Home() string { return filepath.Join(l.Dir(), "home") }

// Group holds every process of the lab.
func (l *Lab) Group() cgroup.Group { return cgroup.Group("dvh-" + l.Name) }

// Laptop is the laptop's network.
func (l *Lab) Laptop() netns.NS { return l.ns("laptop") }

// outside is the rest of the world, which ends at the laptop's gateway.
func (l *Lab) outside() netns.NS { return l.ns("outside") }

// wires has the bridge that VirtualBox would have in the kernel.
func (l *Lab) wires() netns.NS { return l.ns("wires") }

func (l *Lab) ns(name string) netns.NS { return netns.NS("dvh-" + l.Name + "-" + name) }

// VPN is the company's VPN.
func (l *Lab) VPN() *vpn.VPN {
	return &vpn.VPN{
		Dir: filepath.Join(l.Dir(), "vpn"), Gateway: netip.MustParseAddr(uplinkGateway),
		Outside: l.outside(), Laptop: l.Laptop(), Group: l.Group(), Script: l.program(),
		Routes: []netip.Prefix{netip.MustParsePrefix(LaptopAddr).Masked()},
	}
}

func (l *Lab) program() string { return filepath.Join(l.Dir(), "bin", "lab") }

func (l *Lab) build(ctx context.Context, program string) error {
	if err := os.MkdirAll(l.Dir(), 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", l.Dir(), "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting tmpfs on %s: %w", l.Dir(), err)
	}
	for _, d := range []string{"bin", "home", "vms", "vpn"} {
		if err := os.MkdirAll(filepath.Join(l.Dir(), d), 0o755); err != nil {
			return err
		}
	}
	if err := copyProgram(program, l.program()); err != nil {
		return err
	}
	docker := "/usr/bin/docker"
	if other := nsguest.OtherDocker(); other != "" {
		if _, err := os.Stat(filepath.Join(other, "docker")); err == nil {
			docker = filepath.Join(other, "docker")
		}
	}
	links := map[string]string{"VBoxManage": "lab", "VBoxHeadless": "lab", "docker": docker}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(l.Dir(), "bin", name)); err != nil {
			return err
		}
	}
	if err := l.Group().Make(); err != nil {
		return err
	}
	var err error
	if l.group, err = l.Group().Open(); err != nil {
		return err
	}
	if err := l.network(ctx); err != nil {
		return err
	}
	return l.VPN().Start(ctx)
}

// network makes the laptop with its uplink and its host-only adapter.
//
//	outside ── eth0 laptop vboxnet0 ── wires (bridge) ── eth1 of every VM
func (l *Lab) network(ctx context.Context) error {
	for _, n := range []netns.NS{l.Laptop(), l.outside(), l.wires()} {
		if err := n.Add(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(
		netns.Veth(ctx, l.Laptop(), "eth0", l.outside(), "eth0"),
		netns.Veth(ctx, l.Laptop(), Adapter, l.wires(), "laptop"),
	); err != nil {
		return err
	}
	return errors.Join(
		// net.ipv4.ip_forward is 0 in a new namespace: what is not for the gateway
		// itself ends here, without an answer.
		l.outside().IP(ctx, "addr add "+uplinkGateway+"/24 dev eth0", "link set eth0 up"),
		l.wires().IP(ctx, "link add br0 type bridge", "link set laptop master br0 up", "link set br0 up"),
		l.Laptop().IP(ctx,
			"addr add "+uplinkLaptop+"/24 dev eth0", "link set eth0 up", "route add default via "+uplinkGateway,
			"addr add "+LaptopAddr+" dev "+Adapter, "link set "+Adapter+" up"),
	)
}

// Down removes everything that bears the lab's name. It may be called on a lab
// that is half there, or not at all.
func (l *Lab) Down(ctx context.Context) error {
	if l.group != nil {
		_ = l.group.Close()
	}
	errs := []error{l.Group().Kill(ctx)}
	entries, err := os.ReadDir(netns.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), string(l.ns(""))) {
			errs = append(errs, netns.NS(e.Name()).Delete(ctx))
		}
	}
	errs = append(errs, l.Group().Remove(ctx))
	if err := unix.Unmount(l.Dir(), 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		errs = append(errs, fmt.Errorf("unmounting %s: %w", l.Dir(), err))
	} else if err := os.Remove(l.Dir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	_ = os.Remove(Root) // fails while there are other labs
	return errors.Join(errs...)
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
