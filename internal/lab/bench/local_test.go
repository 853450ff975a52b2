//go:build e2e && linux

package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// unprivileged is a user without root's rights: only root's doctor looks at packet filters.
var unprivileged = &syscall.Credential{Uid: 65534, Gid: 65534}

// local measures what a healthy dockerd of this computer costs, by the socket of a real one.
func (b *bench) local() {
	socket := b.socket()
	b.must(os.Chmod(filepath.Dir(b.dir), 0o755)) // which the programs are in
	figures := []*figure{
		{name: "ping", argv: []string{b.path("ping"), socket}},
		{name: "doctor local", argv: b.helper("doctor", "local"), goal: 3},
	}
	for range rounds {
		for _, i := range rand.Perm(len(figures)) {
			cmd := exec.Command(figures[i].argv[0], figures[i].argv[1:]...)
			cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "DOCKER_HOST=unix://" + socket}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged}
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", figures[i].name, err, out)
			}
			figures[i].took = append(figures[i].took, time.Since(began))
		}
	}
	for _, f := range figures {
		b.report(f, figures[0])
	}
}

// socket is a socket that everyone may connect to, in front of the VM's dockerd's own. Its
// API, 1.41, is one that docker 29 does not support: doctor finds out that this laptop's
// docker does, without running it.
func (b *bench) socket() string {
	dir, err := os.MkdirTemp("/tmp", "dvh-bench")
	b.must(err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	b.must(os.Chmod(dir, 0o755))
	ln, err := net.Listen("unix", dir+"/d.sock")
	b.must(err)
	b.Cleanup(func() { ln.Close() })
	b.must(os.Chmod(dir+"/d.sock", 0o666))
	far := fmt.Sprintf("/proc/%d/root/run/docker.sock", b.vm.PID())
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				conn, err := net.Dial("unix", far)
				if err != nil {
					return
				}
				defer conn.Close()
				go func() {
					_, _ = io.Copy(conn, near)
					conn.Close()
				}()
				_, _ = io.Copy(near, conn)
			}()
		}
	}()
	return dir + "/d.sock"
}
