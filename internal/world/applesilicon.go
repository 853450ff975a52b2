package world

import (
	"bytes"
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// AppleSilicon says whether this is a Mac with an Apple chip, whatever this
// program was built for.
func (w *World) AppleSilicon(ctx context.Context) bool {
	if w.Laptop.OS() != host.Darwin {
		return false
	}
	out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "hw.optional.arm64"}})
	return err == nil && string(bytes.TrimSpace(out.Stdout)) == "1"
}
