package host

import (
	"cmp"
	"errors"
	"io/fs"
)

// FileError is why an operation on a file of the laptop failed. Its text names the path
// and the reason, and no system call.
type FileError struct {
	Path string
	Err  *fs.PathError
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// fileError makes an error of package os a *FileError, with its own path if path is empty.
func fileError(err error, path string) error {
	var known *FileError
	var failed *fs.PathError
	if errors.As(err, &known) || !errors.As(err, &failed) {
		return err
	}
	return &FileError{Path: cmp.Or(path, failed.Path), Err: failed}
}

// WithoutPath is why something failed, for a message that names the path already.
func WithoutPath(err error, path string) error {
	var failed *FileError
	if errors.As(err, &failed) && failed.Path == path {
		return failed.Err.Err
	}
	return err
}
