package userssh

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Each connection has a directory for its socket: socketDirs/dirPrefix + PID + "-" + random text.
const (
	socketDirs = "/tmp"
	dirPrefix  = "dvh-ssh-"
	socketName = "s"
)

// tidy removes the directories of killed runs. It leaves those whose ControlMaster still listens,
// which will exit by itself, and those of other users.
func tidy(ctx context.Context, laptop host.Laptop) {
	entries, err := laptop.ReadDir(ctx, socketDirs)
	if err != nil {
		return
	}
	made := map[int][]string{}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), dirPrefix)
		number, _, _ := strings.Cut(rest, "-")
		if pid, err := strconv.Atoi(number); ours && err == nil && e.IsDir() {
			made[pid] = append(made[pid], filepath.Join(socketDirs, e.Name()))
		}
	}
	if len(made) == 0 {
		return
	}
	running, err := laptop.Processes(ctx)
	if err != nil {
		return
	}
	for _, p := range running {
		delete(made, p.PID)
	}
	for _, dirs := range made {
		for _, dir := range dirs {
			socket := filepath.Join(dir, socketName)
			if conn, err := laptop.DialContext(ctx, "unix", socket); err == nil {
				conn.Close()
				continue
			}
			_ = laptop.Remove(ctx, socket)
			_ = laptop.Remove(ctx, dir)
		}
	}
}
