package hostchange

import (
	"context"
	"errors"
	"io/fs"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// file is what a file held, or that there was none.
type file struct {
	text string
	none bool
}

// restore puts a file of the laptop back as it was, if it still is what we left.
func restore(ctx context.Context, t *target.Target, path string, old file, ours string) (left []string, err error) {
	now, err := t.Laptop.ReadFile(ctx, path)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return nil, err
	case gone && old.none, !gone && !old.none && string(now) == old.text:
		return nil, nil
	case !gone && string(now) != ours:
		return []string{path + " was changed by another program since, and stays"}, nil
	case gone:
		return []string{path + " was removed since and is not made again"}, nil
	case old.none:
		return nil, t.Laptop.Remove(ctx, path)
	}
	return nil, t.Laptop.WriteFile(ctx, path, []byte(old.text), 0o600)
}
