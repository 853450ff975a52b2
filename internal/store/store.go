// Package store reads docker-machine's store: its machines, and the config.json of each. It writes
// no files. The only change of a config.json, that of ServerCertSANs, is made in its text by
// AddSANs and RemoveSANs.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// maxConfig is the largest size of a config.json that is read, in bytes. Real ones have about 3 KB.
const maxConfig = 1 << 20

// Store is a machine store on the laptop, docker-machine's or minikube's: a directory that contains
// machines/ and certs/.
type Store struct {
	laptop host.Laptop
	dir    string
}

// Open returns the Store in a directory. It does not read it yet. A relative dir is made absolute,
// because DOCKER_CERT_PATH must not depend on the working directory.
func Open(laptop host.Laptop, dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("machine store %s: %w", dir, err)
	}
	return &Store{laptop: laptop, dir: abs}, nil
}

// Dir returns the absolute path of the store's directory.
func (s *Store) Dir() string { return s.dir }

// MachineDir returns the directory of a machine, which need not exist.
func (s *Store) MachineDir(name string) string { return filepath.Join(s.dir, "machines", name) }

// Names returns the names of the machines, sorted. A store that does not exist has none. Files,
// hidden directories, and directories whose names docker-machine would refuse are not machines
// (docker/machine b170508b, libmachine/persist/filestore.go, List).
func (s *Store) Names(ctx context.Context) ([]string, error) {
	entries, err := s.laptop.ReadDir(ctx, filepath.Join(s.dir, "machines"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the machine store: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && ValidName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Exists reports whether the store's directory exists.
func (s *Store) Exists(ctx context.Context) bool {
	_, err := s.laptop.ReadDir(ctx, s.dir)
	return !errors.Is(err, fs.ErrNotExist)
}

// Load reads one machine. An error is a *NameError, a *NotFoundError or a *ConfigError.
func (s *Store) Load(ctx context.Context, name string) (Machine, error) {
	if err := ValidName(name); err != nil {
		return Machine{}, err
	}
	dir := s.MachineDir(name)
	path := filepath.Join(dir, "config.json")
	beside, err := s.laptop.ReadDir(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		known, _ := s.Names(ctx)
		return Machine{}, &NotFoundError{Name: name, Dir: s.dir, Known: known, NoStore: !s.Exists(ctx)}
	}
	if err != nil {
		return Machine{}, &ConfigError{Path: path, Err: err}
	}
	for _, e := range beside {
		if e.Name() == "config.json" {
			if err := readable(e); err != nil {
				return Machine{}, &ConfigError{Path: path, Err: err}
			}
		}
	}
	data, err := s.laptop.ReadFile(ctx, path)
	if err != nil {
		return Machine{}, &ConfigError{Path: path, Err: err}
	}
	m, err := parse(data)
	if err != nil {
		return Machine{}, &ConfigError{Path: path, Err: err}
	}
	m.Name, m.Dir, m.StoreDir = name, dir, s.dir
	if m.VMName == "" {
		m.VMName = name
	}
	s.relocate(ctx, &m, beside)
	return m, nil
}

// Brief returns what is known about a machine without reading its config.json: Name, Dir, CertDir
// and StoreDir. ok is false if the machine's directory does not have config.json and the client's
// files.
func (s *Store) Brief(ctx context.Context, name string) (m Machine, ok bool) {
	if ValidName(name) != nil {
		return Machine{}, false
	}
	dir := s.MachineDir(name)
	beside, err := s.laptop.ReadDir(ctx, dir)
	if err != nil {
		return Machine{}, false
	}
	for _, file := range append([]string{"config.json"}, clientFiles...) {
		if !has(beside, file) {
			return Machine{}, false
		}
	}
	return Machine{Name: name, Dir: dir, CertDir: dir, StoreDir: s.dir}, true
}

// clientFiles are the files that docker's client needs in DOCKER_CERT_PATH.
var clientFiles = []string{"ca.pem", "cert.pem", "key.pem"}

func has(entries []fs.DirEntry, file string) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == file && !e.IsDir() })
}

// readable returns an error if a file must not be opened. A symbolic link may be opened, because
// its entry does not describe its target.
func readable(e fs.DirEntry) error {
	switch {
	case e.IsDir():
		return errors.New("is a directory")
	case e.Type()&^fs.ModeSymlink != 0:
		return errors.New("is not a regular file")
	}
	if info, err := e.Info(); err == nil && e.Type() == 0 && info.Size() > maxConfig {
		return tooLarge(info.Size())
	}
	return nil
}

// relocate replaces the paths in m by those of existing files. If a path does not exist, the store
// was probably moved (a renamed home directory, another MACHINE_STORAGE_PATH). Then relocate uses
// the file with the same name in the machine's directory or in certs/; if there is none, the path
// where it would be in this store, for messages. It also sets CertDir, CustomInstall and
// CreateUnfinished, which depend on the files that exist.
func (s *Store) relocate(ctx context.Context, m *Machine, beside []fs.DirEntry) {
	listings := map[string][]fs.DirEntry{m.Dir: beside}
	exists := func(path string) bool {
		dir := filepath.Dir(path)
		entries, ok := listings[dir]
		if !ok {
			entries, _ = s.laptop.ReadDir(ctx, dir)
			listings[dir] = entries
		}
		return has(entries, filepath.Base(path))
	}
	certs := filepath.Join(s.dir, "certs")
	for _, f := range []struct {
		path   *string
		base   string // the file name if config.json has none
		places []string
	}{
		{&m.CACert, "ca.pem", []string{certs, m.Dir}},
		{&m.CAKey, "ca-key.pem", []string{certs, m.Dir}},
		{&m.ClientCert, "cert.pem", []string{certs, m.Dir}},
		{&m.ClientKey, "key.pem", []string{certs, m.Dir}},
		{&m.ServerCert, "server.pem", []string{m.Dir, filepath.Dir(m.Dir), certs}},
		{&m.ServerKey, "server-key.pem", []string{m.Dir, filepath.Dir(m.Dir), certs}},
		{&m.SSHKeyPath, "id_rsa", []string{m.Dir}},
	} {
		if filepath.IsAbs(*f.path) && exists(*f.path) {
			continue
		}
		base := f.base
		if *f.path != "" {
			base = lastElement(*f.path)
		}
		*f.path = filepath.Join(f.places[0], base)
		for _, place := range f.places {
			if candidate := filepath.Join(place, base); exists(candidate) {
				*f.path = candidate
				break
			}
		}
	}
	m.CustomInstall = m.CustomInstall && !exists(m.ServerCert)
	m.CreateUnfinished = m.VirtualBox() && !m.CustomInstall && m.SSHPort == 0 && !m.IP.IsValid() && !exists(m.ServerCert)
	m.CertDir = m.Dir
	for _, dir := range []string{m.Dir, filepath.Dir(m.ClientCert)} {
		if !slices.ContainsFunc(clientFiles, func(f string) bool { return !exists(filepath.Join(dir, f)) }) {
			m.CertDir = dir
			break
		}
	}
}

// lastElement returns a path's last element, even of a Windows path.
func lastElement(path string) string {
	if len(path) > 2 && path[1] == ':' && path[2] == '\\' {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return filepath.Base(path)
}

// ValidName returns a *NameError if docker-machine would not allow the machine name (docker/machine
// b170508b, libmachine/host/host.go), or if it is too long for a file name.
func ValidName(name string) error {
	if name == "" || len(name) > 255 {
		return &NameError{Name: name}
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '.') {
			return &NameError{Name: name}
		}
	}
	return nil
}

// DefaultDir returns docker-machine's store: $MACHINE_STORAGE_PATH, or else .docker/machine in the
// home directory.
func DefaultDir(getenv func(string) string, home string) string {
	if dir := getenv("MACHINE_STORAGE_PATH"); dir != "" {
		return dir
	}
	return filepath.Join(home, ".docker", "machine")
}

// Default returns the machine to use if none is named: $DOCKER_MACHINE_NAME, else
// $B2D_MACHINE_NAME, else the only one in the store, else "default".
func Default(getenv func(string) string, names []string) string {
	for _, key := range []string{"DOCKER_MACHINE_NAME", "B2D_MACHINE_NAME"} {
		if name := getenv(key); name != "" {
			return name
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return "default"
}
