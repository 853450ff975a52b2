// Package nsguest replaces a virtual machine by Linux namespaces. Its docker hosts are as
// real as a computer without VirtualBox allows: their own network, processes, mounts, host name and cgroups, a real
// sshd and a real dockerd, on an overlay over this machine's own files.
//
// A VM is a directory. Every operation works from any process that opens it.
package nsguest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
)

// Style is the kind of operating system that a docker host imitates.
type Style string

const (
	// Boot2docker keeps nothing but /var/lib/boot2docker and /var/lib/docker
	// over a reboot, and starts dockerd by /etc/init.d/docker.
	Boot2docker Style = "boot2docker"
	// Systemd keeps everything, and starts dockerd by docker.service.
	Systemd Style = "systemd"
)

// NAT addresses are the same for every VM, as in VirtualBox: each VM has its own NAT network
// (VirtualBox manual, 6.3).
const (
	NATGuest   = "10.0.2.15"
	NATGateway = "10.0.2.2"
)

// Spec describes a VM.
type Spec struct {
	Name  string
	Style Style
	// HostOnly is the address on the host-only network, with its prefix length.
	HostOnly netip.Prefix
	// NS is the VM's network namespace, made anew at each power-on; NAT is where
	// VirtualBox's NAT engine would be; Switch has the bridge Bridge that all
	// host-only interfaces are plugged into.
	NS, NAT, Switch netns.NS
	Bridge          string
	// Group holds the VM's processes.
	Group cgroup.Group
	// Program is the lab command: `Program boot DIR` becomes the VM's first
	// process (see Boot), `Program guard DIR` watches over it (see Guard).
	Program string
}

// Identity is what distinguishes docker hosts: whom it admits, and which keys and certificates it
// shows. All fields are file contents.
type Identity struct {
	AuthorizedKeys                []byte
	CACert, ServerCert, ServerKey []byte
}

// VM is a docker host, by its directory.
type VM struct {
	Spec
	Dir string
	// NATMAC and HostOnlyMAC are the addresses that its interfaces get when it is
	// powered on, as VirtualBox writes them ("080027A1B2C3"); "" leaves it to the
	// kernel. docker-machine finds a VM's address by the second one.
	NATMAC, HostOnlyMAC string
}

// Create makes the VM in dir, powered off.
func Create(dir string, spec Spec, id Identity) (*VM, error) {
	v := &VM{Spec: spec, Dir: dir}
	for _, d := range []string{"image", "root", "work", "upper", "disk/log", "disk/docker", "disk/containerd", "disk/boot2docker", "disk/upper", "disk/work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := v.install(id); err != nil {
		return nil, fmt.Errorf("installing docker host %s: %w", spec.Name, err)
	}
	data, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, err
	}
	return v, os.WriteFile(filepath.Join(dir, "vm.json"), append(data, '\n'), 0o600)
}

// Open opens a VM that Create has made.
func Open(dir string) (*VM, error) {
	data, err := os.ReadFile(filepath.Join(dir, "vm.json"))
	if err != nil {
		return nil, err
	}
	v := &VM{Dir: dir}
	if err := json.Unmarshal(data, &v.Spec); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, "vm.json"), err)
	}
	return v, nil
}

// CertDir is where dockerd's certificates are on the docker host.
func (v *VM) CertDir() string {
	if v.Style == Systemd {
		return "/etc/docker"
	}
	return "/var/lib/boot2docker"
}

// disk returns the path on this machine of a file that outlives the power.
func (v *VM) disk(parts ...string) string {
	return filepath.Join(append([]string{v.Dir, "disk"}, parts...)...)
}

// DockerLog returns the path on this machine of a boot2docker host's dockerd log. A systemd host
// has it in its journal.
func (v *VM) DockerLog() string { return v.disk("boot2docker", "log", "docker.log") }

// errOff means that a VM must be powered on for what was asked of it.
var errOff = errors.New("the VM is powered off")
