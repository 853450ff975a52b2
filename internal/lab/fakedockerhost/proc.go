package fakedockerhost

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The guest's /proc. On Linux the guest's processes read the real one for what is about processes.
// On other systems the guest maintains its own, good enough for the scripts that watch dockerd:
// stat, comm and cmdline of its processes, and uptime.

// bootProc makes the guest's /proc as it is after booting.
func (g *Guest) bootProc() error {
	for _, sub := range []string{"net", "sys/kernel/random"} {
		if err := os.MkdirAll(g.path("root", "proc", sub), 0o755); err != nil {
			return err
		}
	}
	showPorts(g.dir)
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	boot := fmt.Sprintf("%x-%x-%x-%x-%x\n", id[0:4], id[4:6], id[6:8], id[8:10], id[10:])
	return os.WriteFile(g.path("root", "proc", "sys", "kernel", "random", "boot_id"), []byte(boot), 0o444)
}

// ownProc reports whether the guest's /proc is the only one. The guest's own tests set DVH_OWN_PROC
// to make it so.
func ownProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err != nil || os.Getenv("DVH_OWN_PROC") != ""
}

// shell is the guest's sh if it must add itself to the guest's /proc.
const shell = `#!/bin/sh
d=/proc/$$
mkdir -p "$d"
echo "$$ (sh) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 $(/bin/date +%s)00" >"$d/stat"
echo sh >"$d/comm"
exec /bin/sh "$@"
`

// keepProc keeps the guest's own /proc up to date until stop is closed.
func (g *Guest) keepProc(stop <-chan struct{}) {
	booted := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		up := time.Since(booted).Seconds()
		file := g.path("root", "proc", "uptime")
		if os.WriteFile(file+".new", fmt.Appendf(nil, "%.2f %.2f\n", up+10, up), 0o644) == nil {
			_ = os.Rename(file+".new", file)
		}
		entries, _ := os.ReadDir(g.path("root", "proc"))
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
				g.hideProcess(pid)
			}
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// showPorts writes /proc/net/tcp: the guest's open ports.
func showPorts(dir string) {
	ports := []int{22}
	found, _ := filepath.Glob(filepath.Join(dir, "net", "*"))
	for _, f := range found {
		if p, err := strconv.Atoi(filepath.Base(f)); err == nil {
			ports = append(ports, p)
		}
	}
	var b strings.Builder
	b.WriteString("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
	for i, p := range ports {
		fmt.Fprintf(&b, "%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 100 0 0 10 0\n", i, p, 20000+i)
	}
	file := filepath.Join(dir, "root", "proc", "net", "tcp")
	if os.WriteFile(file+".new", []byte(b.String()), 0o644) == nil {
		_ = os.Rename(file+".new", file)
	}
}

// showDockerd makes dockerd's process visible: on Linux to the glob /proc/[0-9]*, on other systems
// in the guest's /proc.
func (g *Guest) showDockerd(pid int, args []string) {
	dir := g.path("root", "proc", strconv.Itoa(pid))
	if !ownProc() {
		_ = os.Symlink("/proc/"+strconv.Itoa(pid), dir)
		return
	}
	_ = os.MkdirAll(dir, 0o755)
	stat := fmt.Sprintf("%d (dockerd) S 1%s%d\n", pid, strings.Repeat(" 0", 17)+" ", time.Now().UnixMilli()/10)
	for file, text := range map[string]string{"stat": stat, "comm": "dockerd\n", "cmdline": strings.Join(append([]string{"dockerd"}, args...), "\x00") + "\x00"} {
		_ = os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644)
	}
}

func (g *Guest) hideProcess(pid int) {
	_ = os.RemoveAll(g.path("root", "proc", strconv.Itoa(pid)))
}
