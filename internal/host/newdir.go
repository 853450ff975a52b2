package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Mode returns a file's type and permissions; it follows symbolic links.
func Mode(path string) (fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fileError(err, path)
	}
	return info.Mode(), nil
}

// NewFile is a file for a new directory.
type NewFile struct {
	Name string
	Data []byte
	Perm fs.FileMode
}

// NewDir makes a directory with files in one step: it exists completely or not at all, even after a
// kill or a power loss. If the directory exists and is not empty, the error is fs.ErrExist. NewDir
// first makes the files in .NAME.new beside it, with mode 0700, and removes what a killed run has
// left there. Two runs must not make the same directory at the same time.
func NewDir(dir string, perm fs.FileMode, files []NewFile) (err error) {
	defer func() { err = fileError(err, dir) }()
	above, name := filepath.Split(filepath.Clean(dir))
	above = filepath.Clean(above)
	if err := makeDir(above, 0o755); err != nil {
		return err
	}
	next := filepath.Join(above, "."+name+".new")
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := os.Mkdir(next, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(next)
		}
	}()
	for _, f := range files {
		if err := createFile(filepath.Join(next, f.Name), f); err != nil {
			return err
		}
	}
	if err := errors.Join(inheritOwner(next), os.Chmod(next, perm), syncDir(next)); err != nil {
		return err
	}
	// rename(2) replaces a directory only if it is empty; os.Rename would not replace it at all.
	switch err := syscall.Rename(next, dir); {
	case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.ENOTDIR):
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
	case err != nil:
		return &fs.PathError{Op: "rename", Path: dir, Err: err}
	}
	return syncDir(above)
}

func createFile(path string, f NewFile) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Perm)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Data)
	// The umask may have removed some of Perm.
	if err = errors.Join(err, file.Chmod(f.Perm), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", f.Name, err)
	}
	return inheritOwner(path)
}
