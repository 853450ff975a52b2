package host

import (
	"cmp"
	"errors"
	"io/fs"
)

// FileError is the error of an operation on a file of the laptop. Its text names the path and the
// reason, but no system call.
type FileError struct {
	Path string
	Err  *fs.PathError
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// fileError turns an error of package os into a *FileError, with the error's own path if path is
// "".
func fileError(err error, path string) error {
	var known *FileError
	var failed *fs.PathError
	if errors.As(err, &known) || !errors.As(err, &failed) {
		return err
	}
	return &FileError{Path: cmp.Or(path, failed.Path), Err: failed}
}

// WithoutPath returns the reason of an error without the path, for a message that already names the
// path.
func WithoutPath(err error, path string) error {
	var failed *FileError
	if errors.As(err, &failed) && failed.Path == path {
		return failed.Err.Err
	}
	return err
}
