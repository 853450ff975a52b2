package userssh

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Where the directories for ssh's sockets are, and how their names begin. The number of the
// process that made it follows, and a text that cannot be guessed.
const (
	socketDirs = "/tmp"
	dirPrefix  = "dvh-ssh-"
	socketName = "s"
)

// tidy removes the directories of runs that were killed. One whose ControlMaster still
// listens stays until that has ended by itself, and another user's stays.
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
