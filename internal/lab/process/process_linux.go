// Package process remembers processes in files, so that whoever reads the file
// later can tell whether that very process still runs, and end no other.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
)

// File names a file that remembers a process: its number and when it started.
type File string

// Remember writes the file.
func (f File) Remember(pid int) error {
	start, err := startTime(pid)
	if err != nil {
		return fmt.Errorf("remembering process %d: %w", pid, err)
	}
	return os.WriteFile(string(f), fmt.Appendf(nil, "%d %s\n", pid, start), 0o644)
}

// Forget removes the file.
func (f File) Forget() error {
	if err := os.Remove(string(f)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// PID is the remembered process, 0 if it does not run any more.
func (f File) PID() int {
	data, err := os.ReadFile(string(f))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) != 2 {
		return 0
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0
	}
	if start, err := startTime(pid); err != nil || start != fields[1] {
		return 0
	}
	return pid
}

// Signal sends a signal to the remembered process and waits until it has ended;
// one that does not run is no error.
func (f File) Signal(ctx context.Context, sig syscall.Signal) error {
	pid := f.PID()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return await.Until(ctx, fmt.Sprintf("process %d (%s) to end", pid, filepath.Base(string(f))), func() (bool, error) {
		return f.PID() == 0, nil
	})
}

// startTime tells a process from a later one with the same number (proc(5), field
// 22 of stat). A zombie has ended.
func startTime(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", fs.ErrNotExist
	}
	return fields[19], nil
}

// Spawn starts a process that outlives this one, in the group, with its output
// in log, and remembers it.
func (f File) Spawn(cmd *exec.Cmd, group cgroup.Group, log string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	dir, err := group.Open()
	if err != nil {
		return err
	}
	defer dir.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = f.Remember(cmd.Process.Pid)
	go cmd.Wait() // or it would stay a zombie for as long as this process lives
	return err
}
