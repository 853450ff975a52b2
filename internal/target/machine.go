package target

import (
	"context"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

var machineForm = form{
	kind: Machine, prefix: "machine:", usage: "NAME",
	parse: func(name string) (string, error) { return name, store.ValidName(name) },
	open:  openMachine,
}

// openMachine makes t the Target of a machine of the store.
func openMachine(ctx context.Context, t *Target, name string) error {
	m, err := t.Store.Load(ctx, name)
	var config *store.ConfigError
	if errors.As(err, &config) {
		m.Name, m.StoreDir = name, t.Store.Dir()
		t.LoadErr, err = config, nil
	}
	t.SetMachine(m)
	return err
}
