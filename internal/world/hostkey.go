package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// hostKeyFile has the docker host's key as one line, "ssh-ed25519 AAAA… for SHA256:…":
// the key that we logged in with then, which docker-machine makes anew with each
// machine that it creates.
func (w *World) hostKeyFile() string { return filepath.Join(w.MachineState(), "hostkey") }

// pinHostKey remembers a host key. A diagnosis, which tells the docker host nothing, goes
// on where that cannot be.
func (w *World) pinHostKey(ctx context.Context, line, key []byte) error {
	line = bytes.TrimSpace(line)
	if ours, err := sshhost.KeyFingerprint(key); err == nil {
		line = append(bytes.Clone(line), " for "+ours...)
	}
	err := w.WriteState(ctx, w.hostKeyFile(), append(line, '\n'))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("it cannot be remembered: %w", err)
	if !w.Repairing() {
		w.Tell("[%s] the docker host's SSH key is new, and %v", w.Machine.Name, err)
		return nil
	}
	return err
}

// knownHostKey is the pinned key. A pin from the time of another id_rsa is another
// machine's, which had the same name: who can change id_rsa needs no false docker host.
func (w *World) knownHostKey(ctx context.Context, key []byte) ([]byte, error) {
	known, err := w.Laptop.ReadFile(ctx, w.hostKeyFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the pinned host key: %w", err)
	}
	if w.AcceptHostKey {
		return nil, nil
	}
	if _, theirs, ok := bytes.Cut(bytes.TrimSpace(known), []byte(" for ")); ok {
		if ours, err := sshhost.KeyFingerprint(key); err == nil && ours != string(theirs) {
			w.Tell("[%s] the machine's SSH key is a new one, and so its docker host: the host key is taken as it is", w.Machine.Name)
			return nil, nil
		}
	}
	return known, nil
}
