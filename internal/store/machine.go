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

// newestVersion is the ConfigVersion of docker-machine 0.16.2 (libmachine/version/version.go).
const newestVersion = 3

// Machine is the content of a config.json. Its paths are those of files that exist on this laptop,
// if there are any.
type Machine struct {
	Name string
	Dir  string // machines/NAME in the store
	// CertDir is the directory of ca.pem, cert.pem and key.pem for docker's client, the value of
	// DOCKER_CERT_PATH. It is Dir, except for minikube's machines, which have these files only in
	// certs/ (kubernetes/minikube eb25dbc, provision/provision.go).
	CertDir       string
	StoreDir      string
	Driver        string // "virtualbox", "generic" …
	ConfigVersion int    // 0 to 3

	IP           netip.Addr   // the host-only address, as last known; zero if there is none
	Host         string       // the host name in its place, which the generic driver allows; "" if there is none
	HostOnlyCIDR netip.Prefix // the laptop's address in the host-only network, 192.168.99.1/24; zero if it has none
	VMName       string       // the VM's name in VirtualBox
	SSHUser      string
	SSHPort      int // for VirtualBox the laptop's port of NAT rule "ssh", otherwise sshd's; 0 if not known
	SSHKeyPath   string
	EnginePort   int // dockerd's TCP port on the docker host

	// The machine CA and the client certificate, usually in certs/, which all machines share. Dir
	// has copies for docker.
	CACert, CAKey, ClientCert, ClientKey string
	// The store's copies of the docker host's files.
	ServerCert, ServerKey string
	ServerCertSANs        []string

	// Removed means that the machine is no longer in the store.
	Removed bool
	// CreateUnfinished means that docker-machine create failed or was killed while the driver was
	// at work. docker-machine saves config.json before that, without address and port, and again
	// after it; server.pem follows later (docker/machine b170508b, libmachine/libmachine.go,
	// performCreate).
	CreateUnfinished bool

	// CustomInstall means that rancher-machine created the machine with a script instead of
	// installing docker (create --custom-install-script). It then makes no server certificate
	// (rancher/machine a057776c, libmachine/libmachine.go).
	CustomInstall bool
}

// RecordPath returns the path of the machine's endpoint record.
func (m Machine) RecordPath() string { return filepath.Join(m.Dir, RecordName) }

// ConfigPath returns the path of the machine's config.json.
func (m Machine) ConfigPath() string { return filepath.Join(m.Dir, "config.json") }

// authOptions has the certificate paths of all versions: up to ConfigVersion 1 the path of the CA's
// key was named PrivateKeyPath (docker/machine b170508b, libmachine/host/migrate_v1_v2.go).
type authOptions struct {
	auth.Options
	PrivateKeyPath string
}

// config has the fields of all versions of config.json. In ConfigVersion 0 (up to docker-machine
// 0.1) the certificate paths were at the top level or in the driver
// (libmachine/host/migrate_v0_v3_test.go).
type config struct {
	ConfigVersion int
	DriverName    string
	Driver        *driver
	HostOptions   *struct {
		CustomInstallScript string
		AuthOptions         *authOptions // nil with CustomInstallScript
	}
	authPaths
}

// authPaths are the certificate paths of ConfigVersion 0, outside HostOptions.
type authPaths struct {
	CaCertPath, PrivateKeyPath    string
	ServerCertPath, ServerKeyPath string
	ClientCertPath, ClientKeyPath string
}

// driver has the fields of all drivers (libmachine/drivers/base.go) and those of the virtualbox
// driver. minikube's drivers have the same names.
type driver struct {
	IPAddress    string
	IPv6Address  string // of rancher-machine, and of old versions of driver digitalocean
	MachineName  string
	SSHUser      string
	SSHPort      port
	SSHKeyPath   string
	HostOnlyCIDR string
	EnginePort   port // of driver generic: create --generic-engine-port
	DockerPort   port // of drivers azure and vmwarevcloudair: create --azure-docker-port
	authPaths
}

// port is a port in a config.json: a number, which may be in quotation marks. Anything else counts
// as 0.
type port int

// UnmarshalJSON implements json.Unmarshaler.
func (p *port) UnmarshalJSON(text []byte) error {
	*p = 0
	if n, err := strconv.ParseUint(strings.Trim(string(text), `"`), 10, 16); err == nil {
		*p = port(n)
	}
	return nil
}

// virtualBox is the name of docker-machine's driver for VirtualBox.
const virtualBox = "virtualbox"

// DefaultDaemonPort is dockerd's TCP port on docker hosts that docker-machine creates.
const DefaultDaemonPort = engine.DefaultPort

// VirtualBox reports whether the machine is a VirtualBox VM.
func (m Machine) VirtualBox() bool { return m.Driver == virtualBox }

// Generic reports whether docker-machine did not create the docker host but only manages it. It may
// be the laptop itself.
func (m Machine) Generic() bool { return m.Driver == "generic" }

// DaemonPort returns dockerd's TCP port on the docker host.
func (m Machine) DaemonPort() int { return cmp.Or(m.EnginePort, DefaultDaemonPort) }

// parse parses a config.json of any known version. It leaves paths as they are.
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
		// Check the version first, because a newer version may have another layout.
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

// withoutBOM removes a UTF-8 byte order mark, which some editors add and which encoding/json, and
// therefore docker-machine, refuses. For UTF-16 it returns an error that says so.
func withoutBOM(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errors.New("is UTF-16, where UTF-8 is wanted")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

// machine returns the Machine of a configuration. It does not look for files.
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
		c.DriverName = virtualBox // edited by hand: docker-machine itself only accepts this spelling
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
	// An address or network that cannot be parsed counts as unknown: VirtualBox may know it. Driver
	// "none" has the host and port of its URL (drivers/none/driver.go), "generic" what the user
	// gave, which may be a name.
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
	if m.VirtualBox() && isLaptop(m.IP) {
		m.IP = netip.Addr{} // edited by hand: no VM has such an address
	}
	m.SSHPort = m.sshPort(int(d.SSHPort))
	m.HostOnlyCIDR, _ = netip.ParsePrefix(strings.TrimSpace(d.HostOnlyCIDR))
	return m
}

// sshPort returns the machine's SSH port, given the one in config.json; 0 if it is not known. If
// config.json has none, docker-machine assumes 22 and writes that (libmachine/drivers/base.go,
// GetSSHPort). That is right for a docker host with its own address. On the laptop's loopback
// address, port 22 is the laptop's own sshd, which only driver generic can mean.
func (m Machine) sshPort(configured int) int {
	const standard = 22
	loopback := m.VirtualBox() || isLaptop(m.IP) || strings.EqualFold(strings.TrimSuffix(m.Host, "."), "localhost")
	switch {
	case !loopback:
		return cmp.Or(configured, standard)
	case configured == standard && !m.Generic():
		return 0
	}
	return configured
}

// isLaptop reports whether a connection to an address stays on the laptop.
func isLaptop(addr netip.Addr) bool {
	return addr.Unmap().IsLoopback() || addr.Unmap().IsUnspecified()
}

// first returns the first value that is not "".
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
