package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
)

// reserved is how much room on the disk is kept while a run is under way: for the
// files that a rollback writes again and for what the journal says of it. Without
// it, a disk that is full would keep its own cure from being taken back.
const reserved = 64 << 10

func (j *Journal) reserve() string { return j.Path + ".reserve" }

// keepRoom takes the room. What fills it cannot be compressed away.
func (j *Journal) keepRoom() error {
	var seed [32]byte
	data := make([]byte, reserved)
	_, _ = rand.NewChaCha8(seed).Read(data)
	if err := os.WriteFile(j.reserve(), data, 0o600); err != nil {
		return errors.Join(fmt.Errorf("journal: keeping room for a rollback: %w", err), j.giveRoom())
	}
	return nil
}

// giveRoom gives it back.
func (j *Journal) giveRoom() error {
	if err := os.Remove(j.reserve()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
