// Package scale makes machine stores with hundreds of machines, a quarter each
// healthy, switched off, silent and unreadable, on the unprivileged stand-ins, and
// with a VPN that has taken the host-only network.
package scale

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// Kind is what is the matter with a machine.
type Kind int

// The kinds, which take turns.
const (
	Healthy    Kind = iota
	Off             // the VM is switched off
	Silent          // the VM runs, and whatever is connected to never says a word
	Unreadable      // config.json is cut off
	kinds
)

// KindOf is the kind of the machine at a place of the list.
func KindOf(i int) Kind { return Kind(i) % kinds }

// Name is the name of the machine at a place of the list; names sort as places do.
func Name(i int) string { return fmt.Sprintf("m%04d", i) }

// Fleet is a world with many machines. One docker host stands behind all healthy
// ones.
type Fleet struct {
	*embedded.Lab
	nat   *exec.Cmd
	hold  io.Closer // while it is open, nat lives
	ports [][2]int  // on the laptop, to 22 and 2376
}

// New makes a world of n machines below home, which has to be an empty directory.
func New(home, bin, system string, n int) (*Fleet, error) {
	w, err := embedded.New(embedded.Options{OS: system, Home: home, Bin: bin})
	if err != nil {
		return nil, err
	}
	f := &Fleet{Lab: w}
	if err := f.fill(n); err != nil {
		return nil, errors.Join(fmt.Errorf("making %d machines: %w", n, err), f.Close())
	}
	return f, nil
}

// template is the machine that all others are copies of.
const template = "m"

func (f *Fleet) fill(n int) error {
	m, err := f.Store.Add(fakestore.Options{Name: template, Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		return err
	}
	if err := f.boot(m, n); err != nil {
		return err
	}
	vms := make([]*fakevbox.VM, 0, n)
	for i := range n {
		vm, err := f.add(m, i)
		if err != nil {
			return err
		}
		if vm != nil {
			vms = append(vms, vm)
		}
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		return err
	}
	if err := fakevbox.Update(f.VBoxHome(), func(v *fakevbox.VirtualBox) error {
		v.VMs = vms
		return nil
	}); err != nil {
		return err
	}
	if err := f.record(vms); err != nil {
		return err
	}
	return f.Laptop(func(o *fakelaptop.State) {
		o.VPNOn()
		for i := range o.Routes {
			if o.Routes[i].Dst == fakelaptop.HostOnly().Masked() {
				o.Routes[i].Dst = netip.MustParsePrefix("192.168.96.0/20")
			}
		}
	})
}

// boot starts the process that has the docker host and the NAT of all machines.
func (f *Fleet) boot(m *fakestore.Machine, n int) error {
	dir := f.GuestDir(template)
	err := fakedockerhost.Install(dir, fakedockerhost.Disk{
		Spec: fakedockerhost.Spec{Name: template, User: m.SSHUser, IP: m.IP}, AuthorizedKey: m.AuthorizedKey,
		CACert: m.CACertPEM, ServerCert: m.Server.CertPEM, ServerKey: m.Server.KeyPEM,
	})
	if err != nil {
		return err
	}
	f.nat = exec.Command(filepath.Join(f.Bin, NAT), dir, filepath.Join(m.Dir, "id_rsa"), strconv.Itoa(n))
	f.nat.Stderr = os.Stderr
	if f.hold, err = f.nat.StdinPipe(); err != nil {
		return err
	}
	out, err := f.nat.StdoutPipe()
	if err != nil {
		return err
	}
	if err := f.nat.Start(); err != nil {
		return err
	}
	return json.NewDecoder(out).Decode(&f.ports)
}

// add copies the template, opens what VirtualBox would, and describes the VM.
func (f *Fleet) add(m *fakestore.Machine, i int) (*fakevbox.VM, error) {
	name, kind := Name(i), KindOf(i)
	dir := filepath.Join(filepath.Dir(m.Dir), name)
	if err := copyDir(dir, m.Dir); err != nil {
		return nil, err
	}
	sshPort, port := f.ports[i][0], f.ports[i][1]
	o := m.Options
	o.Name, o.SSHPort = name, sshPort
	o.IP = netip.AddrFrom4([4]byte{192, 168, byte(96 + i/250), byte(2 + i%250)}).String()
	o.HostOnlyCIDR = "192.168.96.1/20"
	config := f.Store.Config(o)
	if kind == Unreadable {
		config = config[:len(config)/2]
	}
	uuid := fmt.Sprintf("5f0c0000-0000-4000-8000-%012x", i)
	files := map[string][]byte{"config.json": config}
	if kind == Healthy || kind == Silent {
		record, err := store.NewEndpointRecord(port, "docker-vpn-helper", uuid, certs.PublicKeyHash(m.Server.Cert.PublicKey)).Marshal()
		if err != nil {
			return nil, err
		}
		files[store.RecordName] = record
	}
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			return nil, err
		}
	}
	params, err := json.Marshal(fakedockerhost.Params{Dir: f.GuestDir(template)})
	vm := &fakevbox.VM{
		Name: name, UUID: uuid, IP: o.IP, CPUs: 1, Memory: 1024, State: "running", Changed: time.Now().UTC(),
		CfgFile: filepath.Join(dir, name, name+".vbox"), Guest: fakevbox.GuestRef{Kind: fakedockerhost.Kind, Params: params},
		NICs: []fakevbox.NIC{{Attachment: "nat", MAC: fmt.Sprintf("080027%06X", 2*i), Forwards: []fakevbox.Forward{
			{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: sshPort, GuestPort: 22},
			{Name: "docker-vpn-helper", Proto: "tcp", HostIP: "127.0.0.1", HostPort: port, GuestPort: 2376},
		}}, {Attachment: "hostonly", Adapter: "vboxnet0", MAC: fmt.Sprintf("080027%06X", 2*i+1)}},
	}
	if kind == Off {
		vm.State = "poweroff"
	}
	return vm, err
}

func copyDir(to, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the docker host and removes everything but the home directory.
func (f *Fleet) Close() error {
	var err error
	if f.nat != nil && f.nat.Process != nil {
		err = errors.Join(f.hold.Close(), f.nat.Wait())
	}
	return errors.Join(err, f.Lab.Close())
}
