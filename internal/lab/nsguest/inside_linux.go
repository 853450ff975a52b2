package nsguest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// Enter returns a command that root runs on the docker host.
func (v *VM) Enter(ctx context.Context, argv ...string) *exec.Cmd {
	pid := strconv.Itoa(v.PID())
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.Dir = "/"
	return cmd
}

// Output runs a command as root on the docker host and returns what it prints.
func (v *VM) Output(ctx context.Context, argv ...string) (string, error) {
	cmd := v.Enter(ctx, argv...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s on %s: %w: %s", strings.Join(argv, " "), v.Name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// open opens a file of the docker host, and resolves symbolic links there.
func (v *VM) open(path string, flags int, perm uint32) (*os.File, error) {
	pid := v.PID()
	if pid == 0 {
		return nil, errOff
	}
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(path, "/"), &unix.OpenHow{
		Flags: uint64(flags) | unix.O_CLOEXEC, Mode: uint64(perm), Resolve: unix.RESOLVE_IN_ROOT,
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: v.Name + ":" + path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ReadFile reads a file of the docker host.
func (v *VM) ReadFile(path string) ([]byte, error) {
	f, err := v.open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// WriteFile writes a file on the docker host, in place.
func (v *VM) WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := v.open(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, uint32(perm))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// CertFiles reads everything in dockerd's certificate directory, by file name.
func (v *VM) CertFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range []string{"ca.pem", "server.pem", "server-key.pem"} {
		data, err := v.ReadFile(v.CertDir() + "/" + name)
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}

// Docker runs the docker client on the docker host itself, over its socket.
func (v *VM) Docker(ctx context.Context, args ...string) (string, error) {
	out, err := v.Output(ctx, append([]string{"/usr/bin/docker"}, args...)...)
	return strings.TrimSpace(out), err
}

// DockerdPID returns dockerd's PID on the docker host, 0 if it does not run. No PID is used twice
// while the VM is on.
func (v *VM) DockerdPID() int {
	data, err := v.ReadFile("/run/docker.pid")
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	if _, err := v.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil {
		return 0
	}
	return pid
}

// Logins returns how many SSH logins sshd has ever accepted. The VM may be off.
func (v *VM) Logins() (int, error) { return v.countInLog("Accepted publickey for ") }

// Connections returns how many TCP connections sshd has ever seen.
func (v *VM) Connections() (int, error) { return v.countInLog("Connection from ") }

func (v *VM) countInLog(text string) (int, error) {
	data, err := os.ReadFile(v.disk("log", "sshd.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return strings.Count(string(data), text), err
}

// HasContainer reports whether the container of that name runs.
func (v *VM) HasContainer(ctx context.Context, name string) (bool, error) {
	out, err := v.Docker(ctx, "ps", "--format", "{{.Names}}")
	for _, n := range strings.Fields(out) {
		if n == name {
			return true, err
		}
	}
	return false, err
}

// AwaitReady waits until dockerd answers and sshd listens.
func (v *VM) AwaitReady(ctx context.Context) error {
	if err := v.AwaitDockerd(ctx); err != nil {
		return err
	}
	return await.Until(ctx, "sshd of "+v.Name, func() (bool, error) {
		conn, err := v.DialNAT(ctx, 22)
		if err != nil {
			return false, err
		}
		conn.Close()
		return true, nil
	})
}

// AwaitDockerd waits until dockerd answers on its socket.
func (v *VM) AwaitDockerd(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/%d/root/run/docker.sock", v.PID()))
		},
	}}
	return await.Until(ctx, "dockerd of "+v.Name, func() (bool, error) {
		if v.PID() == 0 {
			return false, errOff
		}
		// systemd's docker.socket takes connections that no daemon will ever accept
		// when dockerd makes a socket of its own in its place.
		try, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(try, http.MethodGet, "http://docker/version", nil)
		if err != nil {
			return false, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		var version struct{ Version string }
		err = json.NewDecoder(resp.Body).Decode(&version)
		return err == nil && version.Version != "", err
	})
}

// Log returns the end of what dockerd, sshd and the console have printed, for a test that failed.
func (v *VM) Log() string {
	var all strings.Builder
	for _, path := range []string{filepath.Join(v.Dir, "console.log"), v.DockerLog(), v.disk("log", "sshd.log")} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if len(data) > 4000 {
			data = data[len(data)-4000:]
		}
		fmt.Fprintf(&all, "--- %s of %s\n%s\n", filepath.Base(path), v.Name, data)
	}
	return all.String()
}
