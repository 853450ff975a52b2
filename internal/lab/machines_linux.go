package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// StoreDir is the laptop's docker-machine store.
func (l *Lab) StoreDir() string { return filepath.Join(l.Home(), ".docker", "machine") }

// NewStore makes the docker-machine store, and a VirtualBox that knows no VM yet.
func (l *Lab) NewStore(o fakestore.StoreOptions) (*fakestore.Store, error) {
	err := fakevbox.Update(l.vbox(), func(w *fakevbox.VirtualBox) error {
		ip, network, err := cidr(LaptopAddr)
		w.HostOnlyIfs = []fakevbox.HostOnlyIf{{Name: Adapter, IP: ip, Mask: network}}
		return err
	})
	if err != nil {
		return nil, err
	}
	return fakestore.NewStore(l.StoreDir(), o)
}

// AddMachine makes a machine as `docker-machine create` would have: in the store,
// in VirtualBox, and as a docker host, powered off. o.IP and o.SSHPort are chosen
// when they are not given.
func (l *Lab) AddMachine(store *fakestore.Store, style nsguest.Style, o fakestore.Options) (*fakestore.Machine, *nsguest.VM, error) {
	world, err := fakevbox.Load(l.vbox())
	if err != nil {
		return nil, nil, err
	}
	n := len(world.VMs)
	if o.IP == "" {
		o.IP = fmt.Sprintf("192.168.99.%d", 100+n)
	}
	if o.SSHPort == 0 {
		o.SSHPort = 50022 + n
	}
	if style == nsguest.Systemd {
		// What docker-machine fills in for these (libmachine/provision/configure_swarm.go,
		// setRemoteAuthOptions: /etc/docker is where it puts options).
		o.RemoteCACert, o.RemoteServerCert, o.RemoteServerKey = "/etc/docker/ca.pem", "/etc/docker/server.pem", "/etc/docker/server-key.pem"
	}
	m, err := store.Add(o)
	if err != nil {
		return nil, nil, err
	}
	v, err := l.createVM(m, style)
	if err != nil {
		return nil, nil, err
	}
	params, err := json.Marshal(guestParams{Dir: v.Dir})
	if err != nil {
		return nil, nil, err
	}
	uuid := fmt.Sprintf("%08x-1ab0-4000-8000-%012x", 0x4e1a0000+n, n+1)
	return m, v, fakevbox.Update(l.vbox(), func(w *fakevbox.VirtualBox) error {
		if w.Find(m.Name) != nil {
			return fmt.Errorf("there is a VM %s already", m.Name)
		}
		w.VMs = append(w.VMs, &fakevbox.VM{
			Name: m.Name, UUID: uuid, CfgFile: filepath.Join(m.Dir, m.Name, m.Name+".vbox"), State: "poweroff",
			CPUs: 1, Memory: 1024, IP: m.IP,
			NICs: []fakevbox.NIC{
				{Attachment: "nat", MAC: fmt.Sprintf("0800270000%02X", n), Forwards: []fakevbox.Forward{
					{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: m.SSHPort, GuestPort: 22},
				}},
				{Attachment: "hostonly", Adapter: Adapter, MAC: fmt.Sprintf("0800270001%02X", n)},
			},
			Guest: fakevbox.GuestRef{Kind: guestKind, Params: params},
		})
		return nil
	})
}

func (l *Lab) createVM(m *fakestore.Machine, style nsguest.Style) (*nsguest.VM, error) {
	laptop, err := netip.ParsePrefix(LaptopAddr)
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(m.IP)
	if err != nil {
		return nil, err
	}
	return nsguest.Create(filepath.Join(l.Dir(), "vms", m.Name), nsguest.Spec{
		Name: m.Name, Style: style, HostOnly: netip.PrefixFrom(addr, laptop.Bits()),
		NS: l.ns("vm-" + m.Name), NAT: l.ns("nat-" + m.Name), Switch: l.wires(), Bridge: "br0",
		Group: cgroup.Group(string(l.Group()) + "/vm-" + m.Name), Program: l.program(),
	}, nsguest.Identity{
		AuthorizedKeys: m.AuthorizedKey, CACert: m.CACertPEM, ServerCert: m.Server.CertPEM, ServerKey: m.Server.KeyPEM,
	})
}

// VBoxManage runs the stand-in on the laptop; an exit status other than 0 is an
// error.
func (l *Lab) VBoxManage(ctx context.Context, args ...string) (string, error) {
	r, err := l.Run(ctx, nil, append([]string{"VBoxManage"}, args...)...)
	if err == nil && r.Exit != 0 {
		err = fmt.Errorf("VBoxManage %q: exit %d: %s", args, r.Exit, r.Stderr)
	}
	return r.Stdout, err
}

// StartMachine powers a machine on and waits until its dockerd and sshd answer.
func (l *Lab) StartMachine(ctx context.Context, name string) error {
	v, err := l.VM(name)
	if err != nil {
		return err
	}
	if _, err := l.VBoxManage(ctx, "startvm", name, "--type", "headless"); err != nil {
		return err
	}
	if err := v.AwaitReady(ctx); err != nil {
		return errors.Join(err, errors.New(v.Log()))
	}
	return nil
}

func cidr(s string) (addr, mask string, err error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return "", "", err
	}
	m := ^uint32(0) << (32 - p.Bits())
	return p.Addr().String(), fmt.Sprintf("%d.%d.%d.%d", byte(m>>24), byte(m>>16), byte(m>>8), byte(m)), nil
}
