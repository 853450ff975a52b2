package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/machine/libmachine/auth"
	"github.com/docker/machine/libmachine/engine"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// newestVersion is the ConfigVersion that docker-machine 0.16.2 writes
// (libmachine/version/version.go).
const newestVersion = 3

// Machine is what a config.json has, with paths that exist on this laptop
// where the files do.
type Machine struct {
	Name string
	Dir  string // machines/NAME in the store
	// CertDir has ca.pem, cert.pem and key.pem for docker's client: what
	// DOCKER_CERT_PATH is set to. It is Dir, but for machines of minikube's, which
	// keeps them in certs/ alone (kubernetes/minikube eb25dbc, provision/provision.go).
	CertDir       string
	StoreDir      string
	Driver        string // "virtualbox", "generic" …
	ConfigVersion int    // 0 to 3

	IP           netip.Addr   // the host-only address when it was last known; zero if none
	Host         string       // the name that stands in its place, as the generic driver allows; else ""
	HostOnlyCIDR netip.Prefix // the laptop's address in the host-only network, 192.168.99.1/24; zero if it has none
	VMName       string       // as VBoxManage knows it
	SSHUser      string
	SSHPort      int // on 127.0.0.1 by VirtualBox's NAT rule "ssh", elsewhere sshd's own; 0 if not known
	SSHKeyPath   string
	EnginePort   int // dockerd's, on the docker host

	// The machine CA and the client's certificate, usually in certs/, shared by
	// all machines; Dir holds copies for docker.
	CACert, CAKey, ClientCert, ClientKey string
	// The store's copies of what the docker host has.
	ServerCert, ServerKey string
	ServerCertSANs        []string

	// Removed reports that the machine is not in the store any more.
	Removed bool
	// CreateUnfinished reports that docker-machine create failed or was killed in the driver: it
	// saves config.json before the driver begins, without an address and a port, and again
	// when the driver is done; server.pem comes after that (docker/machine b170508b,
	// libmachine/libmachine.go, performCreate).
	CreateUnfinished bool

	// CustomInstall reports that rancher-machine made the machine with a script in place of
	// docker's installation (create --custom-install-script): it has installed no docker, and
	// made no server certificate (rancher/machine a057776c, libmachine/libmachine.go).
	CustomInstall bool
}

// RecordPath is where the machine's endpoint record is.
func (m Machine) RecordPath() string { return filepath.Join(m.Dir, RecordName) }

// ConfigPath is where the machine's config.json is.
func (m Machine) ConfigPath() string { return filepath.Join(m.Dir, "config.json") }

// authOptions is every layout of the certificate paths: up to ConfigVersion 1
// the CA's key was called PrivateKeyPath (docker/machine b170508b,
// libmachine/host/migrate_v1_v2.go).
type authOptions struct {
	auth.Options
	PrivateKeyPath string
}

// config is every layout of a config.json at once. In ConfigVersion 0 (up to
// docker-machine 0.1) the certificate paths were on the top level, or in the
// driver, as in libmachine/host/migrate_v0_v3_test.go.
type config struct {
	ConfigVersion int
	DriverName    string
	Driver        *driver
	HostOptions   *struct {
		CustomInstallScript string
		AuthOptions         *authOptions // null with that script
	}
	authPaths
}

// authPaths is what ConfigVersion 0 kept outside of HostOptions.
type authPaths struct {
	CaCertPath, PrivateKeyPath    string
	ServerCertPath, ServerKeyPath string
	ClientCertPath, ClientKeyPath string
}

// driver is what all drivers share (libmachine/drivers/base.go) and what the
// virtualbox one adds. minikube's drivers have the same names.
type driver struct {
	IPAddress    string
	IPv6Address  string // rancher-machine's; an old digitalocean's, beside IPAddress
	MachineName  string
	SSHUser      string
	SSHPort      port
	SSHKeyPath   string
	HostOnlyCIDR string
	EnginePort   port // of the driver generic: create --generic-engine-port
	DockerPort   port // the same of azure and vmwarevcloudair: create --azure-docker-port
	authPaths
}

// port is a port in a config.json: a number, or one in quotation marks. What is no port is
// 0, one that is not known.
type port int

// UnmarshalJSON implements json.Unmarshaler.
func (p *port) UnmarshalJSON(text []byte) error {
	*p = 0
	if n, err := strconv.ParseUint(strings.Trim(string(text), `"`), 10, 16); err == nil {
		*p = port(n)
	}
	return nil
}

// virtualBox is the driver that has a NAT rule and a host-only network.
const virtualBox = "virtualbox"

// DefaultDaemonPort is where dockerd listens on a docker host that docker-machine made.
const DefaultDaemonPort = engine.DefaultPort

// VirtualBox reports whether the machine is a VirtualBox VM.
func (m Machine) VirtualBox() bool { return m.Driver == virtualBox }

// Generic reports whether docker-machine only manages a computer that was there before: it
// may be the laptop itself.
func (m Machine) Generic() bool { return m.Driver == "generic" }

// DaemonPort is where dockerd listens on the docker host.
func (m Machine) DaemonPort() int { return cmp.Or(m.EnginePort, DefaultDaemonPort) }

// parse reads a config.json of any known version. Paths are as they stand in it.
func parse(data []byte) (Machine, error) {
	if len(data) > maxConfig {
		return Machine{}, tooLarge(int64(len(data)))
	}
	data, err := withoutBOM(data)
	if err != nil {
		return Machine{}, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return Machine{}, errors.New("the file is empty")
	}
	var c config
	if err := json.Unmarshal(data, &c); err != nil || c.ConfigVersion > newestVersion {
		// The version first: the rest of a newer layout need not fit.
		var version struct{ ConfigVersion json.Number }
		if err := json.Unmarshal(data, &version); err == nil {
			if n, err := version.ConfigVersion.Int64(); err == nil && n > newestVersion {
				return Machine{}, &VersionError{Version: int(n)}
			}
		}
		return Machine{}, fmt.Errorf("not a machine's configuration: %w", text.JSONError(err))
	}
	if c.Driver == nil || c.DriverName == "" {
		return Machine{}, errors.New("not a machine's configuration: it names no driver")
	}
	if c.ConfigVersion < 0 {
		return Machine{}, fmt.Errorf("not a machine's configuration: ConfigVersion %d", c.ConfigVersion)
	}
	return c.machine(), nil
}

// withoutBOM drops a UTF-8 byte order mark, which editors leave and
// encoding/json, and so docker-machine, refuses. UTF-16 is refused by name.
func withoutBOM(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errors.New("is UTF-16, where UTF-8 is wanted")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

func (c config) machine() Machine {
	var a authOptions
	custom := false
	if c.HostOptions != nil {
		custom = c.HostOptions.CustomInstallScript != ""
		if c.HostOptions.AuthOptions != nil {
			a = *c.HostOptions.AuthOptions
		}
	}
	d := c.Driver
	if strings.EqualFold(c.DriverName, virtualBox) {
		c.DriverName = virtualBox // written by hand: docker-machine itself knows drivers by this spelling alone
	}
	m := Machine{
		Driver: c.DriverName, ConfigVersion: c.ConfigVersion,
		VMName: d.MachineName, SSHUser: d.SSHUser, SSHKeyPath: d.SSHKeyPath, EnginePort: DefaultDaemonPort,
		CACert:         first(a.CaCertPath, c.CaCertPath, d.CaCertPath),
		CAKey:          first(a.CaPrivateKeyPath, a.PrivateKeyPath, c.PrivateKeyPath, d.PrivateKeyPath),
		ClientCert:     first(a.ClientCertPath, c.ClientCertPath, d.ClientCertPath),
		ClientKey:      first(a.ClientKeyPath, c.ClientKeyPath, d.ClientKeyPath),
		ServerCert:     first(a.ServerCertPath, c.ServerCertPath, d.ServerCertPath),
		ServerKey:      first(a.ServerKeyPath, c.ServerKeyPath, d.ServerKeyPath),
		ServerCertSANs: a.ServerCertSANs, CustomInstall: custom,
	}
	if m.SSHUser == "" {
		m.SSHUser = "root" // libmachine/drivers/base.go
		if m.VirtualBox() {
			m.SSHUser = "docker" // drivers/virtualbox/virtualbox.go
		}
	}
	if p := cmp.Or(d.EnginePort, d.DockerPort); p != 0 {
		m.EnginePort = int(p)
	}
	// An address or network that cannot be read is one that is not known:
	// VirtualBox may still know it. The driver "none" keeps the host and port of its
	// URL (drivers/none/driver.go), "generic" what it was given, perhaps a name.
	address := strings.TrimSpace(d.IPAddress)
	if address == "" && !m.VirtualBox() {
		address = strings.TrimSpace(d.IPv6Address)
	}
	if host, port, err := net.SplitHostPort(address); err == nil && !m.VirtualBox() {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			address, m.EnginePort = host, int(n)
		}
	}
	var err error
	if m.IP, err = netip.ParseAddr(address); err != nil && !m.VirtualBox() {
		m.Host = address
	}
	if m.VirtualBox() && laptop(m.IP) {
		m.IP = netip.Addr{} // it was edited by hand: no VM has that address
	}
	m.SSHPort = m.sshPort(int(d.SSHPort))
	m.HostOnlyCIDR, _ = netip.ParsePrefix(strings.TrimSpace(d.HostOnlyCIDR))
	return m
}

// sshPort is the SSH port of a machine whose config.json has that one. Where it has none
// docker-machine takes 22, and writes it down (libmachine/drivers/base.go, GetSSHPort).
// That is right for a docker host with an address of its own. On the laptop's loopback it
// is the laptop's own sshd, which only the driver generic can mean.
func (m Machine) sshPort(configured int) int {
	const standard = 22
	loopback := m.VirtualBox() || laptop(m.IP) || strings.EqualFold(strings.TrimSuffix(m.Host, "."), "localhost")
	switch {
	case !loopback:
		return cmp.Or(configured, standard)
	case configured == standard && !m.Generic():
		return 0
	}
	return configured
}

// laptop reports whether a connection to an address stays on the laptop.
func laptop(addr netip.Addr) bool {
	return addr.Unmap().IsLoopback() || addr.Unmap().IsUnspecified()
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func tooLarge(size int64) error {
	return fmt.Errorf("has %d bytes, more than %d: that is no machine's configuration", size, maxConfig)
}
