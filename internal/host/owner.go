package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// If root works in another user's home directory, the files that it writes belong to that user:
// sudo may keep HOME (macOS's sudoers has it in env_keep), and a config.json or lock owned by root
// would lock the user out. A replaced file keeps its owner, and a new one gets that of its
// directory.

// owner returns the owner of a file; ok is false if no owner is to be changed.
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

// inheritOwner gives a new file or directory to the owner of its directory.
func inheritOwner(path string) error {
	uid, gid, ok := owner(filepath.Dir(path))
	if u, g, made := owner(path); !ok || !made || u == uid && g == gid {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

// makeDir makes a directory and its missing parents, so that they survive a power loss.
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
	return errors.Join(inheritOwner(dir), syncDir(above))
}

// syncDir makes what was made or renamed in a directory survive a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a directory may be writable but not readable
	}
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a directory (EINVAL). Nothing more can be done then.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
