package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// reserved is how many bytes on disk a run holds until it ends or is rolled back. Another program
// may fill the disk meanwhile; then this space is for the files that a rollback restores and for
// the journal's lines about it.
const reserved = 64 << 10

// reserve returns the path of the file that holds the space. All journals of a directory share it:
// only one run at a time is under way there, and the next run takes over the file of a killed one.
func (j *Journal) reserve() string { return filepath.Join(filepath.Dir(j.Path), "reserve") }

func (j *Journal) reserveSpace(ctx context.Context) error {
	data := make([]byte, reserved)
	// Random bytes, so that the file system cannot compress them.
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	if err := j.laptop.WriteFile(ctx, j.reserve(), data, 0o600); err != nil {
		return fmt.Errorf("reserving space for a rollback: %w", err)
	}
	return nil
}

func (j *Journal) releaseSpace(ctx context.Context) error {
	if err := removeIfThere(ctx, j.laptop, j.reserve()); err != nil {
		return fmt.Errorf("journal: releasing the space for a rollback: %w", err)
	}
	return nil
}

func removeIfThere(ctx context.Context, l host.Laptop, path string) error {
	if err := l.Remove(ctx, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
