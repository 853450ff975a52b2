package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// hostKeyFile returns the path of the file with the docker host's key. It is one line, "ssh-ed25519
// AAAA… for SHA256:…". The last part is the fingerprint of the user's key at that time:
// docker-machine generates a new one for each machine that it creates.
func (a *Access) hostKeyFile() string { return filepath.Join(a.MachineDir, "hostkey") }

// pinHostKey stores a host key. If that fails, a diagnosis goes on, because it sends no secrets to
// the docker host.
func (a *Access) pinHostKey(ctx context.Context, line, key []byte) error {
	line = bytes.TrimSpace(line)
	if ours, err := sshhost.KeyFingerprint(key); err == nil {
		line = append(bytes.Clone(line), " for "+ours...)
	}
	err := host.WriteState(ctx, a.Laptop, a.hostKeyFile(), append(line, '\n'))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("it cannot be remembered: %w", err)
	if !a.Mode().IsRepair() {
		a.Notify("[%s] the docker host's SSH key is new, and %v", a.Machine.Name, err)
		return nil
	}
	return err
}

// knownHostKey returns the pinned host key; nil if there is none or it no longer counts. One that
// was pinned with another id_rsa belongs to an earlier machine of the same name. That is safe: an
// attacker who can replace id_rsa does not need a false docker host.
func (a *Access) knownHostKey(ctx context.Context, key []byte) ([]byte, error) {
	known, err := a.Laptop.ReadFile(ctx, a.hostKeyFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the pinned host key: %w", err)
	}
	if a.AcceptHostKey() {
		return nil, nil
	}
	if _, theirs, ok := bytes.Cut(bytes.TrimSpace(known), []byte(" for ")); ok {
		if ours, err := sshhost.KeyFingerprint(key); err == nil && ours != string(theirs) {
			a.Notify("[%s] the machine's SSH key is a new one, and so its docker host: the host key is taken as it is", a.Machine.Name)
			return nil, nil
		}
	}
	return known, nil
}
