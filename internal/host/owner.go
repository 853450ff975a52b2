package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Where root works in another user's home directory, what it writes is that user's: sudo
// may keep HOME (macOS's sudoers has it in env_keep), and a config.json or a lock that is
// root's afterwards would shut the user out. A file that is replaced keeps its owner, and
// a new one has that of its directory.

// owner is whom a file belongs to; ok is false where it is not to be changed.
func owner(path string) (uid, gid int, ok bool) {
	info, err := os.Lstat(path)
	if err != nil || os.Geteuid() != 0 {
		return 0, 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// inherit gives what was just made in a directory to the directory's owner.
func inherit(path string) error {
	uid, gid, ok := owner(filepath.Dir(path))
	if u, g, made := owner(path); !ok || !made || u == uid && g == gid {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

// makeDir makes a directory and those above it that are missing, so that they last
// through a power loss.
func makeDir(dir string, perm fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeDir(above, perm); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return errors.Join(inherit(dir), syncDir(above))
}

// syncDir makes what was made or renamed in a directory last through a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // one may write in a directory that one may not list
	}
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a directory (EINVAL); the rename is then
	// as durable as it gets.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
