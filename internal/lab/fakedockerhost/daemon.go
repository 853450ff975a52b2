package fakedockerhost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemonProcess is dockerd for the process that runs the guest.
type daemonProcess struct {
	args []string
	cmd  *exec.Cmd
	// life is a pipe that dockerd reads at the other end: when the guest's process ends, for
	// whatever reason, dockerd ends, too.
	life io.Closer
	done chan struct{}
}

// dockerLog returns the file of dockerd's output: boot2docker's file, or the one that replaces the
// journal.
func (g *Guest) dockerLog() string {
	if g.spec.Style == Systemd {
		return g.path("root", "var", "log", "journal", "docker")
	}
	return g.path("root", "var", "lib", "boot2docker", "log", "docker.log")
}

// startDaemon starts dockerd with these arguments and returns at once. With resume, it does not
// count as a start.
func (g *Guest) startDaemon(args []string, resume bool) (*daemonProcess, error) {
	if g.daemon != nil {
		return nil, errors.New("dockerd is already running")
	}
	if err := os.MkdirAll(filepath.Dir(g.dockerLog()), 0o755); err != nil { // older recorded computers have no such directory
		return nil, err
	}
	logFile, err := os.OpenFile(g.dockerLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command(g.exe, args...)
	cmd.Args[0] = "dockerd"
	cmd.Env = append(g.environ("root"), "DVH_AS=dockerd")
	if resume {
		cmd.Env = append(cmd.Env, "DVH_RESUME=1")
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("starting dockerd: %w", err)
	}
	// The PID file exists at once, as with start-stop-daemon.
	_ = os.WriteFile(g.path("root", "run", "docker.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
	d := &daemonProcess{args: args, cmd: cmd, life: w, done: make(chan struct{})}
	g.showDockerd(cmd.Process.Pid, args)
	g.daemon = d
	go func() {
		_ = cmd.Wait()
		g.hideProcess(cmd.Process.Pid)
		d.life.Close()
		g.mu.Lock()
		if g.daemon == d {
			g.daemon = nil
			g.clearDaemonFiles()
		}
		g.mu.Unlock()
		close(d.done)
	}()
	return d, nil
}

// clearDaemonFiles removes what a dockerd that ended has left. The caller holds the lock, or no
// other goroutine runs.
func (g *Guest) clearDaemonFiles() {
	os.Remove(g.path("root", "run", "docker.pid"))
	os.Remove(g.path("root", "run", "docker.sock"))
	ports, _ := filepath.Glob(g.path("net", "*"))
	for _, p := range ports {
		os.Remove(p)
	}
	showPorts(g.dir)
}

func (d *daemonProcess) kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

func (d *daemonProcess) gone() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// stop ends dockerd as init does: with SIGTERM, and with SIGKILL if that does not help.
func (d *daemonProcess) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		d.kill()
	}
}

// ready waits until dockerd serves; it returns false if dockerd ends before that.
func (g *Guest) ready(d *daemonProcess) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return false
		case <-tick.C:
			if data, err := os.ReadFile(g.path("run", "ready")); err == nil && string(data) == strconv.Itoa(d.cmd.Process.Pid) {
				return true
			}
		}
	}
}

// startByInit makes the guest's own init system start dockerd, as at boot.
func (g *Guest) startByInit() {
	script := g.path("root", "etc", "init.d", "docker")
	argv := []string{"/bin/sh", script, "start"}
	if g.spec.Style == Systemd {
		argv = []string{"/bin/sh", g.path("bin", "systemctl"), "start", "docker"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(g.environ("root"), "DVH_ROOT=1")
	_ = cmd.Run()
}

// detachedJobs returns the process groups that the guest's setsid has made and that still run.
func (g *Guest) detachedJobs() []int {
	entries, _ := os.ReadDir(g.path("jobs"))
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(strings.TrimSpace(e.Name())); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}
