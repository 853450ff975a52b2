package cli

import (
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// newDir creates a directory with files. A lock keeps two runs from doing that at once.
func (a *app) newDir(s site, path string, files []host.NewFile) error {
	unlock, err := s.laptop.Lock(a.ctx, filepath.Join(s.state, "new-directory.lock"), nil)
	if err != nil {
		return a.cause(err)
	}
	defer unlock()
	return host.NewDir(path, 0o700, files)
}
