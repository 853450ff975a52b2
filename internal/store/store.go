// Package store reads docker-machine's store: which machines there are, and
// what the config.json of each has. It writes nothing; what may be changed in
// a config.json, ServerCertSANs, is an edit of bytes that AddSANs makes.
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

// maxConfig is the largest config.json that is read; real ones have 3 KB.
const maxConfig = 1 << 20

// Store is a machine store on the laptop: a directory with machines/ and certs/
// in it, docker-machine's or minikube's.
type Store struct {
	laptop host.Laptop
	dir    string
}

// Open names a store; nothing is read yet. A relative directory counts from the
// working directory, since DOCKER_CERT_PATH must hold wherever the user goes.
func Open(laptop host.Laptop, dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("machine store %s: %w", dir, err)
	}
	return &Store{laptop: laptop, dir: abs}, nil
}

// Dir is the store's directory, absolute.
func (s *Store) Dir() string { return s.dir }

// MachineDir is where a machine's files are, whether or not it exists.
func (s *Store) MachineDir(name string) string { return filepath.Join(s.dir, "machines", name) }

// Names lists the machines, sorted. A store that does not exist has none. Files,
// hidden directories and those whose name docker-machine would refuse are not
// machines (docker/machine b170508b, libmachine/persist/filestore.go, List).
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

// Exists reports whether the store's directory is there.
func (s *Store) Exists(ctx context.Context) bool {
	_, err := s.laptop.ReadDir(ctx, s.dir)
	return !errors.Is(err, fs.ErrNotExist)
}

// Load reads one machine. The error is a *NameError, a *NotFoundError or a
// *ConfigError.
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

// Brief is what Load knows of a machine without its config.json: Name, Dir, CertDir and
// StoreDir. ok is false if the machine's directory does not have them.
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

// clientFiles are what docker's client wants in DOCKER_CERT_PATH.
var clientFiles = []string{"ca.pem", "cert.pem", "key.pem"}

func has(entries []fs.DirEntry, file string) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == file && !e.IsDir() })
}

// readable refuses what is not worth opening. A symbolic link is opened: its own entry does
// not describe what it leads to.
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

// relocate turns the paths of config.json into those of files that are there. A
// path that leads nowhere belongs to a store that has since been moved (a home
// directory renamed, MACHINE_STORAGE_PATH): the file of the same name in the
// machine's directory or in the store's certs stands in for it. If that is not
// there either, the path stays inside this store, for messages. Whether the machine was
// ever finished is known once it is known which files are there.
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
		base   string // when the file names none
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

// lastElement is a path's base name; a Windows path keeps its meaning here.
func lastElement(path string) string {
	if len(path) > 2 && path[1] == ':' && path[2] == '\\' {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return filepath.Base(path)
}

// ValidName refuses a machine name that docker-machine itself would not allow
// (docker/machine b170508b, libmachine/host/host.go), or that no file system
// holds. The error is a *NameError.
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

// DefaultDir is the store where docker-machine looks for it: what
// MACHINE_STORAGE_PATH says, else .docker/machine in the home directory.
func DefaultDir(getenv func(string) string, home string) string {
	if dir := getenv("MACHINE_STORAGE_PATH"); dir != "" {
		return dir
	}
	return filepath.Join(home, ".docker", "machine")
}

// Default is the machine that is meant when none is named: $DOCKER_MACHINE_NAME,
// else $B2D_MACHINE_NAME, else the only one in the store, else "default".
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
