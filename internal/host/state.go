package host

import (
	"context"
	"path/filepath"
)

// WriteState writes a file of the state directory with mode 0600, and makes its directory with mode
// 0700 if needed.
func WriteState(ctx context.Context, laptop Laptop, path string, data []byte) error {
	if err := laptop.MkdirAll(ctx, filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return laptop.WriteFile(ctx, path, data, 0o600)
}
