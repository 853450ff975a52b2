package fakestore

import (
	"encoding/json"
	"path/filepath"
)

// The layout of config.json, ConfigVersion 3, in the order in which
// docker-machine 0.16.2 writes it: host.Host, the virtualbox driver with its two
// embedded interfaces as empty objects, engine, swarm and auth options
// (docker/machine b170508b, libmachine/host/host.go, drivers/virtualbox/virtualbox.go).

type config struct {
	ConfigVersion int
	Driver        driverConfig
	DriverName    string
	HostOptions   hostOptions
	Name          string
}

type driverConfig struct {
	IPAddress           string
	MachineName         string
	SSHUser             string
	SSHPort             int
	SSHKeyPath          string
	StorePath           string
	SwarmMaster         bool
	SwarmHost           string
	SwarmDiscovery      string
	VBoxManager         struct{}
	HostInterfaces      struct{}
	CPU                 int
	Memory              int
	DiskSize            int
	NatNicType          string
	Boot2DockerURL      string
	Boot2DockerImportVM string
	HostDNSResolver     bool
	HostOnlyCIDR        string
	HostOnlyNicType     string
	HostOnlyPromiscMode string
	UIType              string
	HostOnlyNoDHCP      bool
	NoShare             bool
	DNSProxy            bool
	NoVTXCheck          bool
	ShareFolder         string
}

type hostOptions struct {
	Driver        string
	Memory        int
	Disk          int
	EngineOptions engineOptions
	SwarmOptions  swarmOptions
	AuthOptions   authOptions
}

type engineOptions struct {
	ArbitraryFlags   []string
	DNS              []string `json:"Dns"`
	GraphDir         string
	Env              []string
	Ipv6             bool
	InsecureRegistry []string
	Labels           []string
	LogLevel         string
	StorageDriver    string
	SelinuxEnabled   bool
	TLSVerify        bool `json:"TlsVerify"`
	RegistryMirror   []string
	InstallURL       string
}

type swarmOptions struct {
	IsSwarm            bool
	Address            string
	Discovery          string
	Agent              bool
	Master             bool
	Host               string
	Image              string
	Strategy           string
	Heartbeat          int
	Overcommit         float64
	ArbitraryFlags     []string
	ArbitraryJoinFlags []string
	Env                []string
	IsExperimental     bool
}

type authOptions struct {
	CertDir              string
	CaCertPath           string
	CaPrivateKeyPath     string
	CaCertRemotePath     string
	ServerCertPath       string
	ServerKeyPath        string
	ClientKeyPath        string
	ServerCertRemotePath string
	ServerKeyRemotePath  string
	ClientCertPath       string
	ServerCertSANs       []string
	StorePath            string
}

// Config returns config.json for a machine of this store.
func (s *Store) Config(o Options) []byte {
	o = o.withDefaults()
	dir := filepath.Join(s.Dir, "machines", o.Name)
	certs := filepath.Join(s.Dir, "certs")
	c := config{
		ConfigVersion: 3,
		Driver: driverConfig{
			IPAddress: o.IP, MachineName: o.Name, SSHUser: o.SSHUser, SSHPort: o.SSHPort,
			SSHKeyPath: filepath.Join(dir, "id_rsa"), StorePath: s.Dir, SwarmHost: "tcp://0.0.0.0:3376",
			CPU: 1, Memory: 1024, DiskSize: 20000, NatNicType: "82540EM", HostOnlyCIDR: o.HostOnlyCIDR,
			HostOnlyNicType: "82540EM", HostOnlyPromiscMode: "deny", UIType: "headless", DNSProxy: true, NoVTXCheck: true,
		},
		DriverName: o.Driver,
		HostOptions: hostOptions{
			EngineOptions: engineOptions{
				ArbitraryFlags: []string{}, Env: []string{}, InsecureRegistry: []string{}, Labels: []string{},
				TLSVerify: true, RegistryMirror: []string{}, InstallURL: "https://get.docker.com",
			},
			SwarmOptions: swarmOptions{
				Host: "tcp://0.0.0.0:3376", Image: "swarm:latest", Strategy: "spread",
				ArbitraryFlags: []string{}, ArbitraryJoinFlags: []string{},
			},
			AuthOptions: authOptions{
				CertDir: certs, CaCertPath: filepath.Join(certs, "ca.pem"), CaPrivateKeyPath: filepath.Join(certs, "ca-key.pem"),
				CaCertRemotePath: o.RemoteCACert,
				ServerCertPath:   filepath.Join(dir, "server.pem"), ServerKeyPath: filepath.Join(dir, "server-key.pem"),
				ClientKeyPath:        filepath.Join(certs, "key.pem"),
				ServerCertRemotePath: o.RemoteServerCert, ServerKeyRemotePath: o.RemoteServerKey,
				ClientCertPath: filepath.Join(certs, "cert.pem"),
				ServerCertSANs: o.SANs, StorePath: dir,
			},
		},
		Name: o.Name,
	}
	data, err := json.MarshalIndent(c, "", "    ")
	if err != nil {
		panic("machine: config.json cannot be encoded: " + err.Error()) // plain fields only
	}
	return data
}
