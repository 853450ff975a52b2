// Package embedded combines the replacements: a docker-machine store (fakestore), a VirtualBox
// without virtual machines (fakevbox), docker hosts in directories (fakedockerhost), and a laptop
// in a file (fakelaptop). The whole-program tests and the demo run in it. It needs no root, and no
// packet leaves the computer.
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
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// Lab is a store, a VirtualBox, a laptop, and their docker hosts.
type Lab struct {
	// Dir has everything except Home. Its path is short, because it contains sockets.
	Dir string
	// Home is the user's home directory; the store is Home/.docker/machine.
	Home string
	// Bin has the programs: see Programs.
	Bin   string
	Store *fakestore.Store

	machines []*fakestore.Machine
	others   int    // how many VMs existed before
	watch    string // the process with which the lab's processes end
}

// Options describe a lab.
type Options struct {
	OS         string // host.Darwin, host.Linux
	Home       string // made if needed
	Bin        string
	VirtualBox string // version; default 6.1.26r145957
	Store      fakestore.StoreOptions
}

// New makes a lab without machines.
func New(o Options) (*Lab, error) {
	tmp := os.TempDir()
	if len(tmp) > 20 {
		tmp = "/tmp" // macOS has a long one
	}
	dir, err := os.MkdirTemp(tmp, "dvh")
	if err != nil {
		return nil, err
	}
	w := &Lab{Dir: dir, Home: o.Home, Bin: o.Bin, watch: strconv.Itoa(os.Getpid())}
	if err := w.fill(o); err != nil {
		return nil, errors.Join(fmt.Errorf("making a test world: %w", err), os.RemoveAll(dir))
	}
	return w, nil
}

func (w *Lab) fill(o Options) error {
	if o.VirtualBox == "" {
		o.VirtualBox = "6.1.26r145957"
	}
	if err := fakelaptop.New(o.OS).Save(w.LaptopFile()); err != nil {
		return err
	}
	err := fakevbox.Update(w.VBoxHome(), func(v *fakevbox.VirtualBox) error {
		v.Version, v.Platform = o.VirtualBox, o.OS
		v.HostOnlyIfs = []fakevbox.HostOnlyIf{{Name: "vboxnet0", IP: "192.168.99.1", Mask: "255.255.255.0"}}
		return nil
	})
	if err != nil {
		return err
	}
	w.Store, err = fakestore.NewStore(filepath.Join(w.Home, ".docker", "machine"), o.Store)
	return err
}

// LaptopFile is the laptop's state file, for package fakelaptop.
func (w *Lab) LaptopFile() string { return filepath.Join(w.Dir, "world.json") }

// VBoxHome is VirtualBox's directory.
func (w *Lab) VBoxHome() string { return filepath.Join(w.Dir, "vb") }

// GuestDir is the directory of a machine's docker host.
func (w *Lab) GuestDir(name string) string { return filepath.Join(w.Dir, "g", name) }

// Env returns the variables by which the programs find the lab.
func (w *Lab) Env() []string {
	return []string{
		"HOME=" + w.Home, "FAKELAPTOP_FILE=" + w.LaptopFile(), "FAKEVBOX_HOME=" + w.VBoxHome(),
		"FAKEVBOX_WATCH=" + w.watch, "FAKEVBOX_LITTER=" + w.Dir,
	}
}

// MachineOptions describe a machine beyond its files in the store.
type MachineOptions struct {
	fakestore.Options
	Style fakedockerhost.Style
	Spec  func(*fakedockerhost.Spec)
	// NIC is the slot that is attached to NAT; default 1.
	NIC int
}

// Add makes a machine: its files in the store, its VM (off), and its docker host.
func (w *Lab) Add(o MachineOptions) (*fakestore.Machine, error) {
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
	spec := fakedockerhost.Spec{Name: m.Name, Style: o.Style, User: m.SSHUser, IP: m.IP}
	if o.Spec != nil {
		o.Spec(&spec)
	}
	err = fakedockerhost.Install(w.GuestDir(m.Name), fakedockerhost.Disk{
		Spec: spec, AuthorizedKey: m.AuthorizedKey, CACert: m.CACertPEM, ServerCert: m.Server.CertPEM, ServerKey: m.Server.KeyPEM,
	})
	if err != nil {
		return nil, err
	}
	w.machines = append(w.machines, m)
	return m, w.register(m, o.NIC)
}

// register makes the VM.
func (w *Lab) register(m *fakestore.Machine, slot int) error {
	params, err := json.Marshal(fakedockerhost.Params{Dir: w.GuestDir(m.Name)})
	if err != nil {
		return err
	}
	n := w.others + len(w.machines)
	nat := fakevbox.NIC{Attachment: "nat", MAC: fmt.Sprintf("08002700%02X01", n), Forwards: []fakevbox.Forward{
		{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: m.SSHPort, GuestPort: 22},
	}}
	hostonly := fakevbox.NIC{Attachment: "hostonly", Adapter: "vboxnet0", MAC: fmt.Sprintf("08002700%02X02", n)}
	nics := []fakevbox.NIC{nat, hostonly}
	if slot > 1 {
		nics = append(make([]fakevbox.NIC, slot-1), nat)
		nics[0] = hostonly
	}
	return fakevbox.Update(w.VBoxHome(), func(v *fakevbox.VirtualBox) error {
		v.VMs = append(v.VMs, &fakevbox.VM{
			Name: m.Name, UUID: fmt.Sprintf("%08x-0000-4000-8000-%012x", 0x5f0c0000+n, n), IP: m.IP, CPUs: 1, Memory: 1024,
			CfgFile: filepath.Join(m.Dir, m.Name, m.Name+".vbox"), State: "poweroff", Changed: time.Now().UTC(),
			NICs: nics, Guest: fakevbox.GuestRef{Kind: fakedockerhost.Kind, Params: params},
		})
		return nil
	})
}

// VBoxManage runs the lab's VBoxManage.
func (w *Lab) VBoxManage(args ...string) (string, error) {
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

// Start starts a machine and waits until its dockerd serves, unless a fault of the guest prevents
// that.
func (w *Lab) Start(name string) error {
	before := fakedockerhost.Count(w.GuestDir(name), "daemon-starts")
	vm := w.vm(name)
	if vm == nil {
		return fmt.Errorf("starting %s: no such VM", name)
	}
	resumes := vm.State == "saved"
	if _, err := w.VBoxManage("startvm", name, "--type", "headless"); err != nil {
		return err
	}
	for _, f := range []string{"no-dockerd-at-boot", "dockerd-never", "dockerd-slow", "dockerd-fail", "dockerd-only-cert"} {
		if _, on := fakedockerhost.Fault(w.GuestDir(name), f); on {
			return nil
		}
	}
	return Await("dockerd on "+name, func() bool {
		return fakedockerhost.Serves(w.GuestDir(name)) && (resumes || fakedockerhost.Count(w.GuestDir(name), "daemon-starts") > before)
	})
}

func (w *Lab) vm(name string) *fakevbox.VM {
	v, err := fakevbox.Load(w.VBoxHome())
	if err != nil {
		return nil
	}
	return v.Find(name)
}

// Machine returns a machine that Add has made.
func (w *Lab) Machine(name string) (*fakestore.Machine, error) {
	i := slices.IndexFunc(w.machines, func(m *fakestore.Machine) bool { return m.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("the world has no machine %q", name)
	}
	return w.machines[i], nil
}

// Laptop changes the laptop's state.
func (w *Lab) Laptop(change func(*fakelaptop.State)) error {
	return fakelaptop.Update(w.LaptopFile(), func(o *fakelaptop.State) error {
		change(o)
		return nil
	})
}

// Close ends every process of the lab and removes Dir, but not Home.
func (w *Lab) Close() error {
	return errors.Join(fakelaptop.StopServices(w.LaptopFile()), fakevbox.StopAll(w.VBoxHome()), os.RemoveAll(w.Dir))
}

// Await waits up to 20 s for ok to return true; the error says what it waited for.
func Await(what string, ok func() bool) error {
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 20 s for %s", what)
		}
	}
	return nil
}

// reserved are the ports that this process has reserved: the machine that uses one may listen on it
// only seconds later.
var reserved sync.Map

// Reserve listens on a port of 127.0.0.1 that it has not reserved before. The port is below those
// for outgoing connections, so that no other program gets it by chance, and above 21978, which
// recorded fixtures use for another rule.
func Reserve() (net.Listener, error) {
	for range 1000 {
		port := 22000 + rand.IntN(10000)
		if _, again := reserved.LoadOrStore(port, true); again {
			continue
		}
		if ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return ln, nil
		}
	}
	return nil, errors.New("no free port from 22000 to 31999")
}
