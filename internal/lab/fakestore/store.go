// Package fakestore makes a docker-machine store for a test: a CA, the client certificate and
// machines/NAME with the files of docker-machine 0.16.2, byte layout included. Options break it in
// the ways that are seen in practice.
package fakestore

import (
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"
)

// Store is a docker-machine store on disk.
type Store struct {
	Dir    string
	CA     *Authority
	Client *Leaf
	added  int
}

// StoreOptions describe the store's own certificates.
type StoreOptions struct {
	CA AuthorityOptions
	// Born is when the CA and the client certificate become valid; default five minutes ago.
	Born time.Time
	// ClientNotAfter is when the client certificate expires; zero means 1080 days after Born.
	ClientNotAfter time.Time
}

// NewStore writes DIR/certs: ca.pem, ca-key.pem, cert.pem, key.pem.
func NewStore(dir string, o StoreOptions) (*Store, error) {
	if o.CA.NotBefore.IsZero() {
		o.CA.NotBefore = o.Born
	}
	ca, err := NewAuthority(o.CA)
	if err != nil {
		return nil, fmt.Errorf("making the machine CA: %w", err)
	}
	key, err := Key(o.CA.Algorithm, "client")
	if err != nil {
		return nil, err
	}
	client, err := ca.Client(key, o.Born, o.ClientNotAfter)
	if err != nil {
		return nil, fmt.Errorf("making the client certificate: %w", err)
	}
	s := &Store{Dir: dir, CA: ca, Client: client}
	return s, writeAll(filepath.Join(dir, "certs"), map[string][]byte{
		"ca.pem": ca.CertPEM, "ca-key.pem": ca.KeyPEM, "cert.pem": client.CertPEM, "key.pem": client.KeyPEM,
	})
}

// Options describe one machine.
type Options struct {
	Name    string // default "default"
	IP      string // host-only address, default 192.168.99.100
	SSHPort int    // host port of the NAT rule "ssh"
	SSHUser string // default "docker"
	// HostOnlyCIDR is the laptop's address on the adapter; default 192.168.99.1/24.
	HostOnlyCIDR string
	// Names are those of the server certificate; default IP and localhost, as docker-machine has
	// made it since 0.5.0 (libmachine/provision/utils.go).
	Names []string
	// AnyUse is as in ServerOptions.
	AnyUse bool
	// SANs are the ServerCertSANs in config.json.
	SANs []string
	// NotBefore and NotAfter of the server certificate; zero for the usual.
	NotBefore, NotAfter time.Time
	// ServerCA signs the server certificate instead of the store's CA.
	ServerCA *Authority
	// ClientCA signs the client certificate in the machine's directory instead.
	ClientCA *Authority
	// Remote paths as they stand in config.json; empty is usual for boot2docker.
	RemoteCACert, RemoteServerCert, RemoteServerKey string
	// Driver is "virtualbox" unless told otherwise.
	Driver string
}

// Machine is one machine of a store.
type Machine struct {
	Options
	Dir           string
	Server        *Leaf
	SSHKey        *rsa.PrivateKey
	AuthorizedKey []byte // one line for authorized_keys
	CACertPEM     []byte // what dockerd verifies clients with
}

// Add writes machines/NAME: config.json, id_rsa, id_rsa.pub, ca.pem, cert.pem,
// key.pem, server.pem, server-key.pem.
func (s *Store) Add(o Options) (*Machine, error) {
	o = o.withDefaults()
	serverKey, err := Key("", "server-"+strconv.Itoa(s.added))
	if err != nil {
		return nil, err
	}
	sshKey, err := Key(RSA, "ssh")
	if err != nil {
		return nil, err
	}
	s.added++
	ca := s.CA
	if o.ServerCA != nil {
		ca = o.ServerCA
	}
	so := ServerOptions{Org: "lab." + o.Name, Names: o.Names, NotBefore: o.NotBefore, NotAfter: o.NotAfter, AnyUse: o.AnyUse}
	m := &Machine{Options: o, Dir: filepath.Join(s.Dir, "machines", o.Name), SSHKey: sshKey.(*rsa.PrivateKey), CACertPEM: s.CA.CertPEM}
	if m.Server, err = ca.Server(serverKey, so); err != nil {
		return nil, fmt.Errorf("making the server certificate of %s: %w", o.Name, err)
	}
	client := s.Client
	if o.ClientCA != nil {
		if client, err = o.ClientCA.Client(s.Client.Key, time.Time{}, time.Time{}); err != nil {
			return nil, fmt.Errorf("making the client certificate of %s: %w", o.Name, err)
		}
	}
	sshPEM, err := KeyPEM(sshKey)
	if err != nil {
		return nil, err
	}
	pub, err := ssh.NewPublicKey(sshKey.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the SSH key of %s: %w", o.Name, err)
	}
	m.AuthorizedKey = ssh.MarshalAuthorizedKey(pub)
	return m, writeAll(m.Dir, map[string][]byte{
		"config.json": s.Config(o), "id_rsa": sshPEM, "id_rsa.pub": m.AuthorizedKey,
		"ca.pem": s.CA.CertPEM, "cert.pem": client.CertPEM, "key.pem": client.KeyPEM,
		"server.pem": m.Server.CertPEM, "server-key.pem": m.Server.KeyPEM,
	})
}

func (o Options) withDefaults() Options {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.Name, "default")
	set(&o.IP, "192.168.99.100")
	set(&o.SSHUser, "docker")
	set(&o.HostOnlyCIDR, "192.168.99.1/24")
	set(&o.Driver, "virtualbox")
	if o.Names == nil {
		o.Names = []string{o.IP, "localhost"}
	}
	if o.SANs == nil {
		o.SANs = []string{}
	}
	return o
}

func writeAll(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
