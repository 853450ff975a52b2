package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
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
	f, err := host.CreateFile(j.reserve(), 0o600)
	if err != nil {
		return fmt.Errorf("journal: keeping room for a rollback: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("journal: keeping room for a rollback: %w", err)
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
