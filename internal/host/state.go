package host

import (
	"context"
	"path/filepath"
)

// WriteState writes a file of the state directory, 0600. Its directory is made, 0700,
// where there is none.
func WriteState(ctx context.Context, laptop Laptop, path string, data []byte) error {
	if err := laptop.MkdirAll(ctx, filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return laptop.WriteFile(ctx, path, data, 0o600)
}
