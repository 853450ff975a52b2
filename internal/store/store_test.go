package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// disk is a laptop that can read files and nothing else.
type disk struct{ host.Laptop }

func (disk) ReadFile(_ context.Context, path string) ([]byte, error) { return os.ReadFile(path) }
func (disk) ReadDir(_ context.Context, dir string) ([]fs.DirEntry, error) {
	return os.ReadDir(dir)
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill writes the files that a machine has, empty, and its config.json, whose
// paths begin with from, as they are, or, with to, as if the store were there.
func fill(t testing.TB, dir, name, config string) {
	t.Helper()
	for _, f := range []string{"ca.pem", "ca-key.pem", "cert.pem", "key.pem"} {
		put(t, filepath.Join(dir, "certs", f), "")
	}
	for _, f := range []string{"ca.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem", "id_rsa"} {
		put(t, filepath.Join(dir, "machines", name, f), "")
	}
	put(t, filepath.Join(dir, "machines", name, "config.json"), config)
}

// inPlace is what each layout says when the store is where its file says.
func inPlace(dir string, version int, cidr string) Machine {
	m := Machine{
		Name: "default", Dir: filepath.Join(dir, "machines", "default"), StoreDir: dir, Driver: "virtualbox", ConfigVersion: version,
		IP: netip.MustParseAddr("192.168.99.100"), VMName: "default", SSHUser: "docker", SSHPort: 50022, EnginePort: 2376,
		CACert: filepath.Join(dir, "certs", "ca.pem"), CAKey: filepath.Join(dir, "certs", "ca-key.pem"),
		ClientCert: filepath.Join(dir, "certs", "cert.pem"), ClientKey: filepath.Join(dir, "certs", "key.pem"),
	}
	m.CertDir = m.Dir
	m.HostOnlyCIDR, _ = netip.ParsePrefix(cidr)
	m.ServerCert, m.ServerKey, m.SSHKeyPath = filepath.Join(m.Dir, "server.pem"), filepath.Join(m.Dir, "server-key.pem"), filepath.Join(m.Dir, "id_rsa")
	return m
}

func TestEveryLayoutInPlaceAndMoved(t *testing.T) {
	for _, c := range []struct {
		file    string
		version int
		cidr    string
		sans    []string
	}{
		{"v0.json", 0, "", nil},
		{"v1.json", 1, "192.168.99.1/24", nil},
		{"v2.json", 2, "192.168.99.1/24", nil},
		{"v3.json", 3, "192.168.99.1/24", []string{}},
	} {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s moved=%t", c.file, moved), func(t *testing.T) {
				dir := t.TempDir()
				text := fixture(t, c.file)
				if !moved {
					text = strings.ReplaceAll(text, "/Users/ada/.docker/machine", dir)
				}
				fill(t, dir, "default", text)
				want := inPlace(dir, c.version, c.cidr)
				want.ServerCertSANs = c.sans
				got, err := open(t, dir).Load(t.Context(), "default")
				if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
	}
}

func TestBriefIsWhatLoadSays(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "default", strings.ReplaceAll(fixture(t, "v3.json"), "/Users/ada/.docker/machine", dir))
	s := open(t, dir)
	brief, ok := s.Brief(t.Context(), "default")
	m, err := s.Load(t.Context(), "default")
	want := Machine{Name: m.Name, Dir: m.Dir, CertDir: m.CertDir, StoreDir: m.StoreDir}
	if diff := cmp.Diff(want, brief, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); err != nil || !ok || diff != "" {
		t.Errorf("ok=%t %v (-Load +Brief):\n%s", ok, err, diff)
	}
	for _, name := range []string{"config.json", "ca.pem", "cert.pem", "key.pem"} {
		file := filepath.Join(m.Dir, name)
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Brief(t.Context(), "default"); ok {
			t.Errorf("without %s, Brief knows what only Load can say", name)
		}
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", "gone", "../default"} {
		if _, ok := s.Brief(t.Context(), name); ok {
			t.Errorf("Brief knows a machine %q", name)
		}
	}
}

func TestMinikubeStore(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "minikube", fixture(t, "minikube.json"))
	for _, f := range []string{"server.pem", "server-key.pem"} { // minikube keeps them a level up
		if err := os.Rename(filepath.Join(dir, "machines", "minikube", f), filepath.Join(dir, "machines", f)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	names, err := s.Names(t.Context())
	if diff := cmp.Diff([]string{"minikube"}, names); err != nil || diff != "" {
		t.Errorf("names: %v (-want +got):\n%s", err, diff)
	}
	m, err := s.Load(t.Context(), "minikube")
	got := []any{m.Driver, m.IP.String(), m.HostOnlyCIDR.String(), m.SSHPort, m.ServerCert, m.CACert, err}
	want := []any{"virtualbox", "192.168.59.101", "192.168.59.1/24", 40123, filepath.Join(dir, "machines", "server.pem"), filepath.Join(dir, "certs", "ca.pem"), nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("machine (-want +got):\n%s", diff)
	}
}

func TestFilesThatAreNowhere(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "machines", "default", "config.json"), strings.NewReplacer("/Users/ada/.docker/machine/certs", `C:\\Users\\ada\\certs`, "ca-key.pem", "my-ca-key.pem").Replace(fixture(t, "v3.json")))
	m, err := open(t, dir).Load(t.Context(), "default")
	got := []any{m.CACert, m.ServerCert, m.SSHKeyPath, err}
	want := []any{filepath.Join(dir, "certs", "ca.pem"), filepath.Join(m.Dir, "server.pem"), filepath.Join(m.Dir, "id_rsa"), nil}
	if diff := cmp.Diff(want, got); diff != "" || filepath.Dir(m.CAKey) != filepath.Join(dir, "certs") {
		t.Errorf("paths (-want +got):\n%s%s", diff, m.CAKey)
	}
}

func TestDefaultsOfDrivers(t *testing.T) {
	got := [][]any{}
	for _, c := range []string{
		`{"DriverName":"virtualbox","Driver":{}}`,
		`{"DriverName":"generic","Driver":{"IPAddress":" 10.0.0.5\n","SSHPort":70000,"HostOnlyCIDR":"x"}}`,
		`{"DriverName":"none","Driver":{"IPAddress":"not yet","MachineName":"other"}}`,
		"\xef\xbb\xbf" + `{"DriverName":"kvm2","Driver":{"SSHUser":"ubuntu","SSHPort":22}}`,
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "machines", "m", "config.json"), c)
		m, err := open(t, dir).Load(t.Context(), "m")
		got = append(got, []any{m.Driver, m.SSHUser, m.SSHPort, m.IP.IsValid(), m.HostOnlyCIDR.IsValid(), m.VMName, err})
	}
	want := [][]any{
		{"virtualbox", "docker", 0, false, false, "m", nil},
		{"generic", "root", 22, true, false, "m", nil},
		{"none", "root", 22, false, false, "other", nil},
		{"kvm2", "ubuntu", 22, false, false, "m", nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigsThatAreNone(t *testing.T) {
	v3 := fixture(t, "v3.json")
	at := func(dir string) string { return filepath.Join(dir, "machines", "default", "config.json") }
	text := func(s string) func(string) { return func(dir string) { put(t, at(dir), s) } }
	for _, c := range []struct {
		situation string
		make      func(dir string)
		want      string // in the error
		is        error
	}{
		{"truncated", text(v3[:len(v3)-5]), "its end is missing", nil},
		{"no JSON", text(`{"DriverName"="x"}`), "configuration: it is not JSON at byte 14", nil},
		{"empty", text(""), "is empty", nil},
		{"blank", text(" \n"), "is empty", nil},
		{"10 MB", text(v3 + strings.Repeat(" ", 10<<20)), "has 10", nil},
		{"docker's own config.json", text(`{"auths":{}}`), "names no driver", nil},
		{"a list", text(`[]`), "configuration: it is of the wrong type, array", nil},
		{"driver is null", text(`{"DriverName":"x","Driver":null}`), "names no driver", nil},
		{"driver is text", text(`{"DriverName":"x","Driver":"x"}`), "configuration: Driver is of the wrong type, string", nil},
		{"version below 0", text(`{"ConfigVersion":-1,"DriverName":"x","Driver":{}}`), "ConfigVersion -1", nil},
		{"UTF-16", text("\xff\xfe{\x00}\x00"), "is UTF-16", nil},
		{"from the future", text(`{"ConfigVersion":4,"Driver":"laid out anew"}`), "ConfigVersion 4 is newer than 3", nil},
		{"a directory", func(dir string) { put(t, filepath.Join(at(dir), "x"), "") }, "is a directory", nil},
		{"missing", func(dir string) { put(t, filepath.Join(filepath.Dir(at(dir)), "id_rsa"), "") }, "no such file", fs.ErrNotExist},
		{"a symlink loop", func(dir string) {
			put(t, filepath.Join(filepath.Dir(at(dir)), "id_rsa"), "")
			if err := os.Symlink("config.json", at(dir)); err != nil {
				t.Fatal(err)
			}
		}, "too many levels of symbolic links", syscall.ELOOP},
		{"a symlink to 10 MB", func(dir string) {
			put(t, filepath.Join(dir, "big"), strings.Repeat(" ", 10<<20))
			put(t, filepath.Join(filepath.Dir(at(dir)), "id_rsa"), "")
			if err := os.Symlink(filepath.Join(dir, "big"), at(dir)); err != nil {
				t.Fatal(err)
			}
		}, "has 10485760 bytes", nil},
		{"a named pipe", func(dir string) {
			put(t, filepath.Join(filepath.Dir(at(dir)), "id_rsa"), "")
			if err := syscall.Mkfifo(at(dir), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file", nil},
		{"the machine is a symlink loop", func(dir string) {
			put(t, filepath.Join(dir, "machines", "x", "y"), "")
			if err := os.Symlink("default", filepath.Join(dir, "machines", "default")); err != nil {
				t.Fatal(err)
			}
		}, "too many levels", syscall.ELOOP},
	} {
		dir := t.TempDir()
		c.make(dir)
		_, err := open(t, dir).Load(t.Context(), "default")
		var broken *ConfigError
		if !errors.As(err, &broken) || broken.Path != at(dir) || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.situation, err)
		}
	}
	var version *VersionError
	dir := t.TempDir()
	text(`{"ConfigVersion":9}`)(dir)
	if _, err := open(t, dir).Load(t.Context(), "default"); !errors.As(err, &version) || version.Version != 9 {
		t.Errorf("version 9: %v", err)
	}
}

func TestWhichMachinesThereAre(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if names, err := s.Names(t.Context()); names != nil || err != nil {
		t.Errorf("no store: %v, %v", names, err)
	}
	_, err := s.Load(t.Context(), "default")
	want := fmt.Sprintf(`no machine "default": the store %s is empty`, dir)
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, name := range []string{"b", "a", "z.1", ".hidden", "under_score"} {
		put(t, filepath.Join(dir, "machines", name, "config.json"), "{}")
	}
	put(t, filepath.Join(dir, "machines", "file"), "")
	_, err = s.Load(t.Context(), "default")
	var missing *NotFoundError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&NotFoundError{Name: "default", Dir: dir, Known: []string{"a", "b", "z.1"}}, missing); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	for _, name := range []string{"default", "a", "9", "a.b-c", "A..", strings.Repeat("a", 255)} {
		if err := ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "../../x", "-rf", ".", "..", ".a", "a/b", "a\\b", "a\n", "a b", "a_b", "é", "a\x00", strings.Repeat("a", 256), strings.Repeat("x", 4096)} {
		err := ValidName(name)
		var bad *NameError
		if !errors.As(err, &bad) || len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%.20q: %v", name, err)
		}
		if _, err := open(t, t.TempDir()).Load(t.Context(), name); !errors.As(err, &bad) {
			t.Errorf("loading %.20q: %v", name, err)
		}
	}
}

func TestWhichStoreAndMachineByDefault(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(key string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == key {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	got := []string{
		DefaultDir(env(), "/home/ada"), DefaultDir(env("MACHINE_STORAGE_PATH", "/srv"), "/home/ada"),
		Default(env("DOCKER_MACHINE_NAME", "a", "B2D_MACHINE_NAME", "b"), []string{"c"}), Default(env("B2D_MACHINE_NAME", "b"), []string{"c"}),
		Default(env(), []string{"c"}), Default(env(), []string{"c", "d"}), Default(env(), nil),
	}
	if diff := cmp.Diff([]string{"/home/ada/.docker/machine", "/srv", "a", "b", "c", "default", "default"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The driver generic keeps --generic-engine-port beside the address (docker/machine
// b170508b, drivers/generic/generic.go); a driver's name is one whatever its case.
func TestEnginePortAndDriverName(t *testing.T) {
	for config, want := range map[string]Machine{
		`{"DriverName":"generic","Driver":{"IPAddress":"10.0.0.5","EnginePort":22376}}`:               {Driver: "generic", EnginePort: 22376},
		`{"DriverName":"generic","Driver":{"IPAddress":"10.0.0.5","EnginePort":0}}`:                   {Driver: "generic", EnginePort: 2376},
		`{"DriverName":"generic","Driver":{"IPAddress":"10.0.0.5","EnginePort":70000}}`:               {Driver: "generic", EnginePort: 2376},
		`{"DriverName":"VirtualBox","Driver":{"IPAddress":"192.168.99.100","MachineName":"default"}}`: {Driver: "virtualbox", EnginePort: 2376},
	} {
		m, err := parse([]byte(config))
		if got := (Machine{Driver: m.Driver, EnginePort: m.EnginePort}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", config, got, err)
		}
	}
}

func TestAddressesOfOtherDrivers(t *testing.T) {
	for address, want := range map[string]Machine{
		"203.0.113.7":        {IP: netip.MustParseAddr("203.0.113.7"), EnginePort: 2376},
		"203.0.113.7:2377":   {IP: netip.MustParseAddr("203.0.113.7"), EnginePort: 2377},
		"[2001:db8::7]:2376": {IP: netip.MustParseAddr("2001:db8::7"), EnginePort: 2376},
		"build.example.com":  {Host: "build.example.com", EnginePort: 2376},
		"":                   {EnginePort: 2376},
	} {
		m, err := parse([]byte(fmt.Sprintf(`{"ConfigVersion":3,"DriverName":"generic","Driver":{"IPAddress":%q}}`, address)))
		if got := (Machine{IP: m.IP, Host: m.Host, EnginePort: m.EnginePort}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", address, got, err)
		}
	}
}

// kubernetes/minikube keeps the client's files in certs alone.
func TestMinikubesCertificates(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"ca.pem", "ca-key.pem", "cert.pem", "key.pem"} {
		put(t, filepath.Join(dir, "certs", f), "")
	}
	put(t, filepath.Join(dir, "machines", "minikube", "config.json"), `{"ConfigVersion":3,"DriverName":"virtualbox","Driver":{"IPAddress":"192.168.59.101","MachineName":"minikube"},
"HostOptions":{"AuthOptions":{"CertDir":"`+dir+`","CaCertPath":"`+dir+`/certs/ca.pem","ClientCertPath":"`+dir+`/certs/cert.pem","ClientKeyPath":"`+dir+`/certs/key.pem"}}}`)
	m, err := open(t, dir).Load(t.Context(), "minikube")
	if err != nil || m.CertDir != filepath.Join(dir, "certs") {
		t.Errorf("%s, %v", m.CertDir, err)
	}
}

// Port 22 at the laptop's loopback is the laptop's own sshd. Only the driver generic may
// mean that one, and only if config.json says so.
func TestSSHPort(t *testing.T) {
	ports := []string{``, `,"SSHPort":0`, `,"SSHPort":null`, `,"SSHPort":"0"`, `,"SSHPort":""`, `,"SSHPort":-1`, `,"SSHPort":70000`, `,"SSHPort":{}`,
		`,"SSHPort":22`, `,"SSHPort":"22"`, `,"SSHPort":50022`, `,"SSHPort":"50022"`}
	const none, given, other = 8, 2, 2 // of these, in their order: no port, 22, 50022
	repeat := func(a, b, c int) (want []int) {
		return slices.Concat(slices.Repeat([]int{a}, none), slices.Repeat([]int{b}, given), slices.Repeat([]int{c}, other))
	}
	for machine, want := range map[string][]int{
		`{"DriverName":"virtualbox","Driver":{"IPAddress":""%s}}`:               repeat(0, 0, 50022),
		`{"DriverName":"virtualbox","Driver":{"IPAddress":"192.168.99.100"%s}}`: repeat(0, 0, 50022),
		`{"DriverName":"virtualbox","Driver":{"IPAddress":"127.0.0.1"%s}}`:      repeat(0, 0, 50022),
		`{"DriverName":"VirtualBox","Driver":{"IPAddress":"localhost"%s}}`:      repeat(0, 0, 50022),
		`{"DriverName":"qemu2","Driver":{"IPAddress":"127.0.0.1"%s}}`:           repeat(0, 0, 50022),
		`{"DriverName":"parallels","Driver":{"IPAddress":"::1"%s}}`:             repeat(0, 0, 50022),
		`{"DriverName":"kvm2","Driver":{"IPAddress":"0.0.0.0"%s}}`:              repeat(0, 0, 50022),
		`{"DriverName":"xhyve","Driver":{"IPAddress":"Localhost."%s}}`:          repeat(0, 0, 50022),
		`{"DriverName":"kvm2","Driver":{"IPAddress":"192.168.122.9"%s}}`:        repeat(22, 22, 50022),
		`{"DriverName":"generic","Driver":{"IPAddress":"203.0.113.7"%s}}`:       repeat(22, 22, 50022),
		`{"DriverName":"generic","Driver":{"IPAddress":"build.example.com"%s}}`: repeat(22, 22, 50022),
		`{"DriverName":"generic","Driver":{"IPAddress":"127.0.0.1"%s}}`:         repeat(0, 22, 50022),
		`{"DriverName":"generic","Driver":{"IPAddress":"::ffff:127.0.0.1"%s}}`:  repeat(0, 22, 50022),
		`{"DriverName":"generic","Driver":{"IPAddress":"localhost"%s}}`:         repeat(0, 22, 50022),
	} {
		var got []int
		for _, port := range ports {
			m, err := parse(fmt.Appendf(nil, machine, port))
			if err != nil {
				t.Errorf(machine+": %v", port, err)
			}
			got = append(got, m.SSHPort)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", machine, diff)
		}
	}
}

// A VM has no address that is the laptop's.
func TestAddressOfAVM(t *testing.T) {
	for address, want := range map[string]netip.Addr{
		"192.168.99.100": netip.MustParseAddr("192.168.99.100"), "127.0.0.1": {}, "0.0.0.0": {}, "::1": {}, "localhost": {}, "": {},
	} {
		m, err := parse(fmt.Appendf(nil, `{"DriverName":"virtualbox","Driver":{"IPAddress":%q}}`, address))
		if err != nil || m.IP != want || m.Host != "" {
			t.Errorf("%q: %s %q, %v", address, m.IP, m.Host, err)
		}
	}
}

// docker-machine saves config.json before the driver begins and after it is done, and makes
// server.pem after that.
func TestMachineThatWasNeverFinished(t *testing.T) {
	for name, tt := range map[string]struct {
		driver     string
		serverCert bool
		want       bool
	}{
		"driver_failed":           {`"virtualbox","Driver":{"IPAddress":"","SSHPort":0`, false, true},
		"and_its_port_was_asked":  {`"virtualbox","Driver":{"IPAddress":"","SSHPort":22`, false, true},
		"provisioning_failed":     {`"virtualbox","Driver":{"IPAddress":"192.168.99.100","SSHPort":50022`, false, false},
		"address_is_lost":         {`"virtualbox","Driver":{"IPAddress":"","SSHPort":50022`, true, false},
		"address_and_port_are":    {`"virtualbox","Driver":{"IPAddress":"","SSHPort":0`, true, false},
		"another_driver":          {`"amazonec2","Driver":{"IPAddress":"","SSHPort":22`, false, false},
		"config_edited_by_people": {`"virtualbox","Driver":{"IPAddress":"localhost","SSHPort":50022`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "machines", "default", "config.json"), `{"DriverName":`+tt.driver+`}}`)
			if tt.serverCert {
				put(t, filepath.Join(dir, "machines", "default", "server.pem"), "")
			}
			if m, err := open(t, dir).Load(t.Context(), "default"); err != nil || m.CreateUnfinished != tt.want {
				t.Errorf("unfinished: %t, %v, want %t", m.CreateUnfinished, err, tt.want)
			}
		})
	}
}

// What docker-machine's forks and other drivers write: GitLab's, which drops options that are
// not set, and rancher/machine a057776c, which has fields of its own and none of docker's
// where a script installs something else.
func TestOtherDockerMachines(t *testing.T) {
	type facts struct {
		IP, Host                        string
		SSHPort, EnginePort, DaemonPort int
		SSHUser                         string
		CustomInstall                   bool
	}
	for name, tt := range map[string]struct {
		config string
		want   facts
	}{
		"options_are_null": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","SSHUser":"ubuntu","SSHPort":22},"DriverName":"amazonec2",
			"HostOptions":{"EngineOptions":null,"SwarmOptions":null,"AuthOptions":null},"Name":"default"}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "ubuntu"}},
		"all_options_are_null": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7"},"DriverName":"amazonec2","HostOptions":null,"Name":"default"}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "root"}},
		"rancher_custom_install_script": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","SSHUser":"ubuntu","SSHPort":22},"DriverName":"amazonec2",
			"HostOptions":{"CustomInstallScript":"/tmp/install.sh","HostnameOverride":"","MachineOS":"linux","EngineOptions":null,"SwarmOptions":null,"AuthOptions":null}}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "ubuntu", CustomInstall: true}},
		"rancher_custom_install_script_and_docker_was_installed_later": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7"},"DriverName":"amazonec2","HostOptions":{"CustomInstallScript":"/tmp/install.sh"}}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "root"}},
		"ipv6_only": {`{"ConfigVersion":3,"Driver":{"IPAddress":"","IPv6Address":"2001:db8::7","SSHPort":22},"DriverName":"amazonec2"}`,
			facts{IP: "2001:db8::7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "root"}},
		"ipv4_and_ipv6": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","IPv6Address":"2001:db8::7"},"DriverName":"digitalocean"}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 2376, DaemonPort: 2376, SSHUser: "root"}},
		"ipv6_of_a_virtualbox_vm_is_no_host_only_address": {`{"ConfigVersion":3,"Driver":{"IPAddress":"","IPv6Address":"2001:db8::7","SSHPort":50022},"DriverName":"virtualbox"}`,
			facts{IP: "invalid IP", SSHPort: 50022, EnginePort: 2376, DaemonPort: 2376, SSHUser: "docker"}},
		"azure_docker_port": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","SSHUser":"docker-user","SSHPort":22,"DockerPort":4243},"DriverName":"azure"}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 4243, DaemonPort: 4243, SSHUser: "docker-user"}},
		"vmwarevcloudair_docker_port": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","SSHPort":22,"DockerPort":"4243"},"DriverName":"vmwarevcloudair"}`,
			facts{IP: "198.51.100.7", SSHPort: 22, EnginePort: 4243, DaemonPort: 4243, SSHUser: "root"}},
		"ssh_port_in_quotation_marks": {`{"ConfigVersion":3,"Driver":{"IPAddress":"198.51.100.7","SSHPort":"2222"},"DriverName":"generic"}`,
			facts{IP: "198.51.100.7", SSHPort: 2222, EnginePort: 2376, DaemonPort: 2376, SSHUser: "root"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, "default", tt.config)
			if tt.want.CustomInstall {
				if err := os.Remove(filepath.Join(dir, "machines", "default", "server.pem")); err != nil {
					t.Fatal(err)
				}
			}
			m, err := open(t, dir).Load(t.Context(), "default")
			if err != nil {
				t.Fatal(err)
			}
			got := facts{m.IP.String(), m.Host, m.SSHPort, m.EnginePort, m.DaemonPort(), m.SSHUser, m.CustomInstall}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if want := filepath.Join(dir, "certs", "ca.pem"); m.CACert != want || m.CertDir != m.Dir {
				t.Errorf("CA %s, want %s; certificates in %s", m.CACert, want, m.CertDir)
			}
		})
	}
}
