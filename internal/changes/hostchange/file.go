package hostchange

import (
	"context"
	"errors"
	"io/fs"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// file is the former state of a file.
type file struct {
	text    string
	missing bool // there was no file
}

// restore restores a file of the laptop, if it still has the text ours that Apply wrote. Otherwise
// left describes a file that stays as it is.
func restore(ctx context.Context, t *target.Target, path string, old file, ours string) (left []string, err error) {
	now, err := t.Laptop.ReadFile(ctx, path)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return nil, err
	case gone && old.missing, !gone && !old.missing && string(now) == old.text:
		return nil, nil
	case !gone && string(now) != ours:
		return []string{path + " was changed by another program since, and stays"}, nil
	case gone:
		return []string{path + " was removed since and is not made again"}, nil
	case old.missing:
		return nil, t.Laptop.Remove(ctx, path)
	}
	return nil, t.Laptop.WriteFile(ctx, path, []byte(old.text), 0o600)
}
