package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// ReadFile implements Laptop. It refuses anything but a regular file, so that a named pipe cannot
// block the program.
func (l *Local) ReadFile(_ context.Context, path string) (_ []byte, err error) {
	defer func() { err = fileError(err, path) }()
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = data.ReadFrom(f)
	return data.Bytes(), err
}

// WriteFile implements Laptop. A replaced file keeps its mode.
func (l *Local) WriteFile(_ context.Context, path string, data []byte, perm fs.FileMode) (err error) {
	defer func() { err = fileError(err, path) }()
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	// Beside the file: renameio would first test $TMPDIR, which makes two more files, and a key must
	// not be there.
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(perm), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	uid, gid, ok := owner(path)
	if !ok {
		uid, gid, ok = owner(filepath.Dir(path))
	}
	if ok {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Remove implements Laptop.
func (l *Local) Remove(_ context.Context, path string) error {
	return fileError(os.Remove(path), path)
}

// ReadDir implements Laptop.
func (l *Local) ReadDir(_ context.Context, dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	return entries, fileError(err, dir)
}

// MkdirAll implements Laptop.
func (l *Local) MkdirAll(_ context.Context, dir string, perm fs.FileMode) error {
	return fileError(makeDir(dir, perm), "")
}

// Append implements Laptop. After an error it truncates the file to size, if it can.
func (l *Local) Append(_ context.Context, path string, size int64, data []byte) (err error) {
	defer func() { err = fileError(err, path) }()
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return &fs.PathError{Op: "append", Path: path, Err: fmt.Errorf("the file has %d bytes, at least %d were expected", info.Size(), size)}
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = f.WriteAt(data, size)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// Lock implements Laptop.
func (l *Local) Lock(ctx context.Context, path string, waiting func()) (func(), error) {
	if err := makeDir(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, WithoutPath(fileError(err, ""), path))
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err == nil {
		err = inheritOwner(path)
	}
	if err == nil && !ok {
		if waiting != nil {
			waiting()
		}
		ok, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("locking %s: %w", path, WithoutPath(fileError(err, ""), path))
	}
	if !ok {
		return nil, fmt.Errorf("locking %s: %w", path, ctx.Err())
	}
	return func() { _ = lock.Unlock() }, nil
}
