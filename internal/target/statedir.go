package target

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
)

// StateDir is where journals, locks and host-key pins live:
// $XDG_STATE_HOME/docker-vpn-helper, else ~/.local/state/docker-vpn-helper
// (XDG Base Directory Specification 0.8: a relative path is to be ignored).
func StateDir(getenv func(string) string, home string) string {
	dir := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "docker-vpn-helper")
}

// StoreState is the part of the state directory that belongs to one store, by
// whatever path it was reached: two runs must find the same lock.
func StoreState(stateDir, storeDir string) string {
	if real, err := filepath.EvalSymlinks(storeDir); err == nil {
		storeDir = real
	}
	sum := sha256.Sum256([]byte(storeDir))
	return filepath.Join(stateDir, "stores", hex.EncodeToString(sum[:6]))
}

// MachineState is the part of the state directory that belongs to one machine.
func MachineState(stateDir, storeDir, machine string) string {
	return filepath.Join(StoreState(stateDir, storeDir), "machines", machine)
}

// HostsState has the directories of all docker hosts that are no machines.
func HostsState(stateDir string) string { return filepath.Join(stateDir, "hosts") }

// HostState is the part of the state directory that belongs to such a docker host. key is a
// HOST: "local", "ssh://me@host", or "context:colima" where no other form names it.
func HostState(stateDir, key string) string {
	return filepath.Join(HostsState(stateDir), url.PathEscape(key))
}

// RefOfState is the docker host of a directory in HostsState.
func RefOfState(dir string) (Ref, error) {
	key, err := url.PathUnescape(dir)
	if err != nil {
		return Ref{}, err
	}
	return Parse(key, func(string) bool { return false })
}
