// Package embedded is the whole unprivileged test world in one place: a
// docker-machine store, a VirtualBox without virtual machines, docker hosts in
// directories, and a laptop in a file. The whole-program tests and the demo
// live in it. It needs no root, and no packet leaves the computer.
package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/guest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/machine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/outside"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/standin"
)

// World is one test world.
type World struct {
	// Dir holds everything but Home: short, because of the sockets in it.
	Dir string
	// Home is the user's home directory; the store is Home/.docker/machine.
	Home string
	// Bin has the programs: see Programs.
	Bin   string
	Store *machine.Store

	machines []*machine.Machine
	others   int    // VMs that were there before
	watch    string // the process that the world's processes must not outlive
}

// Options says what a world looks like.
type Options struct {
	OS         string // host.Darwin, host.Linux
	Home       string // made if need be
	Bin        string
	VirtualBox string // version; default 6.1.26r145957
	Store      machine.StoreOptions
}

// New makes a world without machines.
func New(o Options) (*World, error) {
	tmp := os.TempDir()
	if len(tmp) > 20 {
		tmp = "/tmp" // macOS has a long one
	}
	dir, err := os.MkdirTemp(tmp, "dvh")
	if err != nil {
		return nil, err
	}
	w := &World{Dir: dir, Home: o.Home, Bin: o.Bin, watch: strconv.Itoa(os.Getpid())}
	if err := w.fill(o); err != nil {
		return nil, errors.Join(fmt.Errorf("making a test world: %w", err), os.RemoveAll(dir))
	}
	return w, nil
}

func (w *World) fill(o Options) error {
	if o.VirtualBox == "" {
		o.VirtualBox = "6.1.26r145957"
	}
	if err := outside.New(o.OS).Save(w.WorldFile()); err != nil {
		return err
	}
	err := standin.Update(w.VBoxHome(), func(v *standin.World) error {
		v.Version, v.Platform = o.VirtualBox, o.OS
		v.HostOnlyIfs = []standin.HostOnlyIf{{Name: "vboxnet0", IP: "192.168.99.1", Mask: "255.255.255.0"}}
		return nil
	})
	if err != nil {
		return err
	}
	w.Store, err = machine.NewStore(filepath.Join(w.Home, ".docker", "machine"), o.Store)
	return err
}

// WorldFile is the laptop, for the outside package.
func (w *World) WorldFile() string { return filepath.Join(w.Dir, "world.json") }

// VBoxHome is VirtualBox's directory.
func (w *World) VBoxHome() string { return filepath.Join(w.Dir, "vb") }

// GuestDir is the docker host of a machine.
func (w *World) GuestDir(name string) string { return filepath.Join(w.Dir, "g", name) }

// Env are the variables with which the programs find the world.
func (w *World) Env() []string {
	return []string{
		"HOME=" + w.Home, "DVH_WORLD=" + w.WorldFile(), "VBOX_STANDIN_HOME=" + w.VBoxHome(),
		"VBOX_STANDIN_WATCH=" + w.watch, "VBOX_STANDIN_LITTER=" + w.Dir,
	}
}

// Options of a machine beyond those of its files.
type MachineOptions struct {
	machine.Options
	Style guest.Style
	Spec  func(*guest.Spec)
	// NIC is the slot that is attached to NAT; default 1.
	NIC int
}

// Add makes a machine: in the store, in VirtualBox (off), and its docker host.
func (w *World) Add(o MachineOptions) (*machine.Machine, error) {
	if o.Name == "" {
		o.Name = "default"
	}
	if o.IP == "" {
		o.IP = fmt.Sprintf("192.168.99.%d", 100+w.others+len(w.machines))
	}
	if o.SSHPort == 0 {
		ln, err := Reserve()
		if err != nil {
			return nil, err
		}
		o.SSHPort = ln.Addr().(*net.TCPAddr).Port
		ln.Close()
	}
	m, err := w.Store.Add(o.Options)
	if err != nil {
		return nil, err
	}
	spec := guest.Spec{Name: m.Name, Style: o.Style, User: m.SSHUser, IP: m.IP}
	if o.Spec != nil {
		o.Spec(&spec)
	}
	err = guest.Install(w.GuestDir(m.Name), guest.Disk{
		Spec: spec, AuthorizedKey: m.AuthorizedKey, CACert: m.CACertPEM, ServerCert: m.Server.CertPEM, ServerKey: m.Server.KeyPEM,
	})
	if err != nil {
		return nil, err
	}
	w.machines = append(w.machines, m)
	return m, w.register(m, o.NIC)
}

// register makes the VM.
func (w *World) register(m *machine.Machine, slot int) error {
	params, err := json.Marshal(guest.Params{Dir: w.GuestDir(m.Name)})
	if err != nil {
		return err
	}
	n := w.others + len(w.machines)
	nat := standin.NIC{Attachment: "nat", MAC: fmt.Sprintf("08002700%02X01", n), Forwards: []standin.Forward{
		{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: m.SSHPort, GuestPort: 22},
	}}
	hostonly := standin.NIC{Attachment: "hostonly", Adapter: "vboxnet0", MAC: fmt.Sprintf("08002700%02X02", n)}
	nics := []standin.NIC{nat, hostonly}
	if slot > 1 {
		nics = append(make([]standin.NIC, slot-1), nat)
		nics[0] = hostonly
	}
	return standin.Update(w.VBoxHome(), func(v *standin.World) error {
		v.VMs = append(v.VMs, &standin.VM{
			Name: m.Name, UUID: fmt.Sprintf("%08x-0000-4000-8000-%012x", 0x5f0c0000+n, n), IP: m.IP, CPUs: 1, Memory: 1024,
			CfgFile: filepath.Join(m.Dir, m.Name, m.Name+".vbox"), State: "poweroff", Changed: time.Now().UTC(),
			NICs: nics, Guest: standin.GuestRef{Kind: guest.Kind, Params: params},
		})
		return nil
	})
}

// VBoxManage runs VBoxManage in the world.
func (w *World) VBoxManage(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(w.Bin, "VBoxManage"), args...)
	cmd.Env = append(os.Environ(), w.Env()...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("VBoxManage %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// Start starts a machine and waits until its dockerd serves, unless a fault of
// the guest is in the way of that.
func (w *World) Start(name string) error {
	before := guest.Count(w.GuestDir(name), "daemon-starts")
	vm := w.vm(name)
	if vm == nil {
		return fmt.Errorf("starting %s: no such VM", name)
	}
	resumes := vm.State == "saved"
	if _, err := w.VBoxManage("startvm", name, "--type", "headless"); err != nil {
		return err
	}
	for _, f := range []string{"no-dockerd-at-boot", "dockerd-never", "dockerd-slow", "dockerd-fail", "dockerd-only-cert"} {
		if _, on := guest.Fault(w.GuestDir(name), f); on {
			return nil
		}
	}
	return Await("dockerd on "+name, func() bool {
		return guest.Serves(w.GuestDir(name)) && (resumes || guest.Count(w.GuestDir(name), "daemon-starts") > before)
	})
}

func (w *World) vm(name string) *standin.VM {
	v, err := standin.Load(w.VBoxHome())
	if err != nil {
		return nil
	}
	return v.Find(name)
}

// Machine finds a machine that Add has made.
func (w *World) Machine(name string) (*machine.Machine, error) {
	i := slices.IndexFunc(w.machines, func(m *machine.Machine) bool { return m.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("the world has no machine %q", name)
	}
	return w.machines[i], nil
}

// Laptop changes the laptop.
func (w *World) Laptop(change func(*outside.World)) error {
	return outside.Update(w.WorldFile(), func(o *outside.World) error {
		change(o)
		return nil
	})
}

// Close ends every process of the world and removes Dir. Home stays.
func (w *World) Close() error {
	err := standin.StopAll(w.VBoxHome())
	return errors.Join(err, os.RemoveAll(w.Dir))
}

// Await waits up to 20 s until ok, and says what it waited for.
func Await(what string, ok func() bool) error {
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 20 s for %s", what)
		}
	}
	return nil
}

// Reserve listens on a port of 127.0.0.1 below those that the system hands out
// for outgoing connections, so that nobody else gets it by chance.
func Reserve() (net.Listener, error) {
	for range 1000 {
		ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000))))
		if err == nil {
			return ln, nil
		}
	}
	return nil, errors.New("no free port from 20000 to 32000")
}
