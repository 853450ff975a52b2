package world

import (
	"context"
	"path/filepath"
)

// LockPorts takes the lock under which a port is chosen and its rule added.
// It is one for all stores: they share the laptop's ports.
func (w *World) LockPorts(ctx context.Context) (unlock func(), err error) {
	return w.Laptop.Lock(ctx, filepath.Join(w.StateDir, "ports.lock"), func() {
		w.Tell("waiting for another docker-vpn-helper that is choosing a port")
	})
}
