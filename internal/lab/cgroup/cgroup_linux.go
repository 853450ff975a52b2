// Package cgroup keeps the processes of a lab together, so that all of them, and
// no others, can be frozen or killed: a cgroup v2 group to hold them, and one
// group a v1 controller for docker hosts, whose dockerd 20.10 wants v1.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

const mountPoint = "/sys/fs/cgroup"

// wanted are the v1 hierarchies that a docker host gets, by directory name.
func wanted() []string {
	return []string{"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids", "systemd"}
}

// Controllers lists the v1 hierarchies of this machine that a docker host gets.
func Controllers() []string {
	var have []string
	for _, c := range wanted() {
		if _, err := os.Stat(filepath.Join(mountPoint, c, "cgroup.procs")); err == nil {
			have = append(have, c)
		}
	}
	return have
}

// Group is a group by its path below the root of every hierarchy, "lab/vm".
type Group string

func unified() (string, error) {
	for _, dir := range []string{filepath.Join(mountPoint, "unified"), mountPoint} {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("no cgroup v2 hierarchy is mounted below " + mountPoint)
}

func (g Group) path() (string, error) {
	root, err := unified()
	return filepath.Join(root, string(g)), err
}

// Make makes the group in the v2 hierarchy.
func (g Group) Make() error {
	dir, err := g.path()
	if err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// Open returns the v2 directory, for syscall.SysProcAttr.CgroupFD.
func (g Group) Open() (*os.File, error) {
	dir, err := g.path()
	if err != nil {
		return nil, err
	}
	return os.Open(dir)
}

// MakeV1 makes the group in every v1 hierarchy, ready to take processes.
func (g Group) MakeV1() error {
	names := Controllers()
	if len(names) < len(wanted()) {
		return fmt.Errorf("dockerd needs the cgroup v1 controllers %v mounted below %s, and there are only %v", wanted(), mountPoint, names)
	}
	for _, c := range names {
		if err := os.MkdirAll(filepath.Join(mountPoint, c, string(g)), 0o755); err != nil {
			return err
		}
	}
	// A new cpuset has no CPUs, at each level, until it is given some.
	dir := filepath.Join(mountPoint, "cpuset")
	for _, part := range strings.Split(string(g), "/") {
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			data, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, part, f), data, 0o644); err != nil {
				return err
			}
		}
		dir = filepath.Join(dir, part)
		if err := os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// JoinV1 moves the calling process into the v1 groups.
func (g Group) JoinV1() error {
	for _, c := range Controllers() {
		if err := os.WriteFile(filepath.Join(mountPoint, c, string(g), "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("joining cgroup %s of %s: %w", g, c, err)
		}
	}
	return nil
}

// Freeze stops or resumes every process of the group.
func (g Group) Freeze(on bool) error {
	dir, err := g.path()
	if err != nil {
		return err
	}
	value := "0"
	if on {
		value = "1"
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(value), 0o644)
}

// Kill ends every process of the group and of those below it, waits until they are
// gone, and removes the v2 group: what is started right into a group that was
// killed once dies at once too, as if it had been forked in there (seen on Linux
// 6.18). A group that is not there is no error.
func (g Group) Kill(ctx context.Context) error {
	dir, err := g.path()
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	g.thaw()
	err = await.Until(ctx, "the killed processes of cgroup "+string(g)+" to go", func() (bool, error) {
		events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return errors.Is(err, fs.ErrNotExist) || strings.Contains(string(events), "populated 0"), nil
	})
	return errors.Join(err, removeTree(ctx, dir))
}

// thaw lets killed processes die that the v1 freezer holds, as it does those of a
// container that docker has paused.
func (g Group) thaw() {
	root := filepath.Join(mountPoint, "freezer", string(g))
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.WriteFile(filepath.Join(path, "freezer.state"), []byte("THAWED"), 0o644)
		}
		return nil
	})
}

// Remove removes the empty group, and the ones below it, from all hierarchies.
func (g Group) Remove(ctx context.Context) error {
	var roots []string
	for _, c := range Controllers() {
		roots = append(roots, filepath.Join(mountPoint, c))
	}
	if root, err := unified(); err == nil {
		roots = append(roots, root)
	}
	var errs []error
	for _, root := range roots {
		errs = append(errs, removeTree(ctx, filepath.Join(root, string(g))))
	}
	return errors.Join(errs...)
}

// removeTree removes directories only: that is how cgroups go. EBUSY is normal
// for a moment after the last process has ended.
func removeTree(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(ctx, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return await.Until(ctx, "cgroup "+dir+" to be removable", func() (bool, error) {
		err := unix.Rmdir(dir)
		return err == nil || errors.Is(err, fs.ErrNotExist), err
	})
}
