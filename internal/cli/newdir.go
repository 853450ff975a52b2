package cli

import (
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// newDir makes a directory with files, one run at a time.
func (a *app) newDir(s site, path string, files []host.NewFile) error {
	unlock, err := s.laptop.Lock(a.ctx, filepath.Join(s.state, "new-directory.lock"), nil)
	if err != nil {
		return a.cause(err)
	}
	defer unlock()
	return host.NewDir(path, 0o700, files)
}
