package target

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
)

// StateDir returns the directory of journals, locks and pinned host keys:
// $XDG_STATE_HOME/docker-vpn-helper, or else ~/.local/state/docker-vpn-helper. A relative
// XDG_STATE_HOME is ignored (XDG Base Directory Specification 0.8).
func StateDir(getenv func(string) string, home string) string {
	dir := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "docker-vpn-helper")
}

// StoreState returns the directory for one store in the state directory. It is the same for all
// paths that lead to the store, because two runs must find the same lock.
func StoreState(stateDir, storeDir string) string {
	if real, err := filepath.EvalSymlinks(storeDir); err == nil {
		storeDir = real
	}
	sum := sha256.Sum256([]byte(storeDir))
	return filepath.Join(stateDir, "stores", hex.EncodeToString(sum[:6]))
}

// MachineState returns the directory for one machine in the state directory.
func MachineState(stateDir, storeDir, machine string) string {
	return filepath.Join(StoreState(stateDir, storeDir), "machines", machine)
}

// HostsState returns the directory that contains those of all other docker hosts.
func HostsState(stateDir string) string { return filepath.Join(stateDir, "hosts") }

// HostState returns the directory for a docker host that is not a machine. key is a HOST: "local",
// "ssh://me@host"; "context:colima" if no other form can name it.
func HostState(stateDir, key string) string {
	return filepath.Join(HostsState(stateDir), url.PathEscape(key))
}

// RefOfState returns the docker host to which a directory in HostsState belongs.
func RefOfState(dir string) (Ref, error) {
	key, err := url.PathUnescape(dir)
	if err != nil {
		return Ref{}, err
	}
	return Parse(key, func(string) bool { return false })
}
