package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// WritingGroup returns the group whose members may write a file or socket; "" if only its owner or
// root's own group may.
func WritingGroup(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fileError(err, path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", &FileError{Path: path, Err: &fs.PathError{Op: "stat", Path: path, Err: errors.ErrUnsupported}}
	}
	if stat.Gid == 0 || info.Mode().Perm()&0o020 == 0 {
		return "", nil
	}
	g, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid)))
	if err != nil {
		return "", fmt.Errorf("the group of %s: %w", path, err)
	}
	return g.Name, nil
}
