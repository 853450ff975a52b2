package fakestore_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/google/go-cmp/cmp"
)

func newStore(t *testing.T, o fakestore.StoreOptions) *fakestore.Store {
	t.Helper()
	s, err := fakestore.NewStore(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t *testing.T, s *fakestore.Store, o fakestore.Options) *fakestore.Machine {
	t.Helper()
	m, err := s.Add(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFilesOfAMachineBelongTogether(t *testing.T) {
	for _, alg := range []fakestore.Algorithm{fakestore.RSA, fakestore.ECDSA} {
		s := newStore(t, fakestore.StoreOptions{CA: fakestore.AuthorityOptions{Algorithm: alg}})
		m := add(t, s, fakestore.Options{})
		for _, pair := range [][2]string{{"cert.pem", "key.pem"}, {"server.pem", "server-key.pem"}} {
			if _, err := tls.LoadX509KeyPair(filepath.Join(m.Dir, pair[0]), filepath.Join(m.Dir, pair[1])); err != nil {
				t.Errorf("%s: %v", pair[0], err)
			}
		}
		pool := x509.NewCertPool()
		pool.AddCert(s.CA.Cert)
		for _, name := range []string{"localhost", "192.168.99.100"} {
			if _, err := m.Server.Cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
				t.Errorf("%s CA, name %s: %v", alg, name, err)
			}
		}
	}
}

func TestCertificateNamesOnlyTheAddress(t *testing.T) {
	m := add(t, newStore(t, fakestore.StoreOptions{}), fakestore.Options{Names: []string{"192.168.99.100"}})
	if err := m.Server.Cert.VerifyHostname("localhost"); err == nil {
		t.Error("localhost is named")
	}
	if err := m.Server.Cert.VerifyHostname("192.168.99.100"); err != nil {
		t.Error(err)
	}
}

func TestCertificateExpired(t *testing.T) {
	m := add(t, newStore(t, fakestore.StoreOptions{}), fakestore.Options{NotAfter: time.Now().Add(-time.Hour)})
	if !m.Server.Cert.NotAfter.Before(time.Now()) || !m.Server.Cert.NotBefore.Before(m.Server.Cert.NotAfter) {
		t.Errorf("valid from %v to %v", m.Server.Cert.NotBefore, m.Server.Cert.NotAfter)
	}
}

func TestTwoMachinesOfAStoreHaveTwoServerKeys(t *testing.T) {
	s := newStore(t, fakestore.StoreOptions{})
	a, b := add(t, s, fakestore.Options{Name: "a"}), add(t, s, fakestore.Options{Name: "b", IP: "192.168.99.101"})
	if cmp.Equal(a.Server.Cert.RawSubjectPublicKeyInfo, b.Server.Cert.RawSubjectPublicKeyInfo) {
		t.Error("both machines have the same key")
	}
}

func TestConfigReadsAsDockerMachineReadsIt(t *testing.T) {
	s := newStore(t, fakestore.StoreOptions{})
	m := add(t, s, fakestore.Options{SSHPort: 50022, SANs: []string{"docker.local"}})
	data, err := os.ReadFile(filepath.Join(m.Dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ConfigVersion int
		DriverName    string
		Driver        struct {
			IPAddress, SSHUser string
			SSHPort            int
		}
		HostOptions struct{ AuthOptions map[string]any }
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(s.Dir, "certs")
	want := map[string]any{
		"CertDir": certs, "CaCertPath": filepath.Join(certs, "ca.pem"), "CaPrivateKeyPath": filepath.Join(certs, "ca-key.pem"),
		"ServerCertPath": filepath.Join(m.Dir, "server.pem"), "ServerKeyPath": filepath.Join(m.Dir, "server-key.pem"),
		"ClientKeyPath": filepath.Join(certs, "key.pem"), "ClientCertPath": filepath.Join(certs, "cert.pem"),
		"CaCertRemotePath": "", "ServerCertRemotePath": "", "ServerKeyRemotePath": "",
		"ServerCertSANs": []any{"docker.local"}, "StorePath": m.Dir,
	}
	if diff := cmp.Diff(want, c.HostOptions.AuthOptions); diff != "" {
		t.Error(diff)
	}
	if c.ConfigVersion != 3 || c.DriverName != "virtualbox" || c.Driver.IPAddress != "192.168.99.100" || c.Driver.SSHPort != 50022 || c.Driver.SSHUser != "docker" {
		t.Errorf("config %+v", c)
	}
}

func TestDirectoryHoldsWhatDockerMachineWrites(t *testing.T) {
	m := add(t, newStore(t, fakestore.StoreOptions{}), fakestore.Options{})
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"ca.pem", "cert.pem", "config.json", "id_rsa", "id_rsa.pub", "key.pem", "server-key.pem", "server.pem"}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
