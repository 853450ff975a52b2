package nsguest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
)

// Boot turns the calling process, which PowerOn has started in its own namespaces, into the VM's
// init. It returns only if that fails.
func Boot(dir string) error {
	v, err := Open(dir)
	if err != nil {
		return err
	}
	// Namespaces are a thread's, and exec keeps those of the thread that calls it.
	runtime.LockOSThread()
	if err := v.Group.JoinV1(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unsharing the cgroup namespace: %w", err)
	}
	if err := v.mountRoot(); err != nil {
		return fmt.Errorf("mounting the files of %s: %w", v.Name, err)
	}
	if err := unix.Sethostname([]byte(v.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	argv := []string{"/bin/busybox", "init"}
	if v.Style == Systemd {
		argv = []string{"/lib/systemd/systemd", "--show-status=no", "--log-target=journal"}
	}
	err = unix.Exec(argv[0], argv, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=linux", "container=lab"})
	return fmt.Errorf("starting %s: %w", argv[0], err)
}

type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

func (v *VM) mountRoot() error {
	upper, work := filepath.Join(v.Dir, "upper"), filepath.Join(v.Dir, "work")
	if v.Style == Systemd {
		upper, work = v.disk("upper"), v.disk("work")
	}
	root := filepath.Join(v.Dir, "root")
	mounts := []mount{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=%s:/,upperdir=%s,workdir=%s", filepath.Join(v.Dir, "image"), upper, work)},
		{"proc", root + "/proc", "proc", 0, ""},
		{"sysfs", root + "/sys", "sysfs", 0, ""},
		{"tmpfs", root + "/dev", "tmpfs", 0, "mode=755"},
		{"devpts", root + "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"},
		{"tmpfs", root + "/dev/shm", "tmpfs", 0, ""},
		{"tmpfs", root + "/run", "tmpfs", 0, "mode=755"},
		{"tmpfs", root + "/tmp", "tmpfs", 0, ""},
		{v.disk("log"), root + "/var/log", "", unix.MS_BIND, ""},
		{v.disk("docker"), root + "/var/lib/docker", "", unix.MS_BIND, ""},
		{v.disk("containerd"), root + "/var/lib/containerd", "", unix.MS_BIND, ""},
		{"tmpfs", root + "/sys/fs/cgroup", "tmpfs", 0, "mode=755"},
	}
	if v.Style == Boot2docker {
		mounts = append(mounts, mount{v.disk("boot2docker"), root + "/var/lib/boot2docker", "", unix.MS_BIND, ""})
	}
	for _, c := range cgroup.Controllers() {
		options := c
		if c == "systemd" {
			options = "none,name=systemd"
		}
		mounts = append(mounts, mount{"cgroup", root + "/sys/fs/cgroup/" + c, "cgroup", 0, options})
	}
	if v.Style == Systemd {
		// As distributions of dockerd 20.10's time have it: systemd's own hierarchy is v2, where
		// packet filters find the cgroup of a socket.
		mounts = append(mounts, mount{"cgroup2", root + "/sys/fs/cgroup/unified", "cgroup2", 0, ""})
	}
	for _, m := range mounts {
		if strings.HasPrefix(m.target, root) && m.target != root {
			if err := os.MkdirAll(m.target, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m.source, m.target, err)
		}
	}
	if err := devices(root + "/dev"); err != nil {
		return err
	}
	// pivot_root rather than chroot: this machine's own mounts are then not
	// there at all, and nsenter needs no --root.
	if err := os.MkdirAll(root+"/run/.old", 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, root+"/run/.old"); err != nil {
		return fmt.Errorf("changing the root to %s: %w", root, err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/run/.old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	return os.Remove("/run/.old")
}

func devices(dir string) error {
	defer unix.Umask(unix.Umask(0))
	for name, number := range map[string]uint64{
		"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "full": unix.Mkdev(1, 7),
		"random": unix.Mkdev(1, 8), "urandom": unix.Mkdev(1, 9), "tty": unix.Mkdev(5, 0),
	} {
		if err := unix.Mknod(filepath.Join(dir, name), unix.S_IFCHR|0o666, int(number)); err != nil {
			return fmt.Errorf("making /dev/%s: %w", name, err)
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// A console that swallows everything: init and systemd insist on one.
	return unix.Mknod(filepath.Join(dir, "console"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
}
