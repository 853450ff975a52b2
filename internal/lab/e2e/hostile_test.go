//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 3, line 3: docker hosts on which a reissue cannot succeed.

// hostile is a machine with containers, and how all of it was.
type hostile struct {
	*scene
	before state
}

// state is what a repair that fails must leave as it was.
type state struct {
	Store, Host, Served string
	Rules               []string
	Running             map[string]bool
}

func besieged(t *testing.T, style nsguest.Style) *hostile {
	t.Helper()
	h := &hostile{scene: on(t, style, fakestore.Options{Names: ipOnly()})}
	h.must(h.vm.ImportBusybox(h.ctx()))
	h.sleeper("plain")
	h.sleeper("kept", "--restart=always")
	h.vpn(true)
	h.before = h.state()
	return h
}

func (h *hostile) state() state {
	h.Helper()
	return state{
		Store: fmt.Sprint(h.tree(h.lab.StoreDir())), Host: fmt.Sprint(h.hostFiles()), Served: h.served(),
		Rules: h.rules("default"), Running: h.running("plain", "kept"),
	}
}

// fails wants fix to end with exit, to name the cause in these words, and to leave
// everything as it was.
func (h *hostile) fails(exit int, words ...string) lab.Result {
	h.Helper()
	r := h.helper("fix", "default", "--yes")
	h.says(r, exit, words...)
	h.same("afterwards", h.before, h.state())
	if soaking() {
		h.same("exit of the next fix", exit, h.helper("fix", "default", "--yes").Exit)
		h.same("after the next fix", h.before, h.state())
	}
	return r
}

func (h *hostile) says(r lab.Result, exit int, words ...string) {
	h.Helper()
	h.same("exit", exit, r.Exit)
	h.same("stdout", "", r.Stdout)
	for _, w := range words {
		if !strings.Contains(r.Stderr, w) {
			h.Errorf("%q is not in:\n%s", w, r.Stderr)
		}
	}
	if h.Failed() {
		h.Log(r.Stderr)
	}
}

// heals wants one more fix to do what it could not do before.
func (h *hostile) heals() {
	h.Helper()
	h.fix("default")
	h.same("running containers", h.before.Running, h.running("plain", "kept"))
	if h.served() == h.before.Served {
		h.Error("the old certificate is served still")
	}
	h.shell(`eval "$(docker-vpn-helper env default)"; docker version`)
}

// inside runs a script as root on the docker host.
func (h *hostile) inside(script string) {
	h.Helper()
	_, err := h.vm.Output(h.ctx(), "sh", "-euc", script)
	h.must(err)
}

// dockerdBecomes puts a script in dockerd's place. It may go on to "$REAL", and
// good tells it whether the certificate on the disk is the one of now.
func (h *hostile) dockerdBecomes(script string) {
	h.Helper()
	path, real := "/usr/local/sbin/dockerd", "/usr/local/bin/dockerd"
	if h.vm.Style == nsguest.Systemd {
		path, real = "/usr/bin/dockerd", "/usr/sbin/dockerd"
	}
	disk, err := h.vm.ReadFile(h.vm.CertDir() + "/server.pem")
	h.must(err)
	sum := sha256.Sum256(disk)
	h.inside("rm -f " + path)
	h.must(h.vm.WriteFile(path, []byte(fmt.Sprintf(`#!/bin/sh
REAL=%s
good() { [ "$(sha256sum <%s/server.pem)" = "%s  -" ]; }
%s
`, real, h.vm.CertDir(), hex.EncodeToString(sum[:]), script)), 0o755))
}

// dockerdIsBack takes the script away again.
func (h *hostile) dockerdIsBack() {
	h.Helper()
	if h.vm.Style == nsguest.Systemd {
		h.inside("ln -sf /usr/sbin/dockerd /usr/bin/dockerd")
		return
	}
	h.inside("rm -f /usr/local/sbin/dockerd")
}

func bothStyles(t *testing.T, test func(*hostile)) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) { test(besieged(t, style)) })
	}
}

func TestHostileDiskFull(t *testing.T) {
	h := besieged(t, nsguest.Boot2docker)
	pid := h.vm.DockerdPID()
	h.inside(`mkdir /run/small; mount -t tmpfs -o size=256k none /run/small; cp -a /var/lib/boot2docker/. /run/small
mount --bind /run/small /var/lib/boot2docker; dd if=/dev/zero of=/var/lib/boot2docker/full bs=4k || :`)
	h.fails(1, "No space left on device", "rolled back")
	h.same("dockerd's PID", pid, h.vm.DockerdPID())
	h.inside(`rm /var/lib/boot2docker/full`)
	h.heals()
}

// The transaction itself needs a little space in /var/run.
func TestHostileRunFull(t *testing.T) {
	h := besieged(t, nsguest.Boot2docker)
	pid := h.vm.DockerdPID()
	h.inside(`mkdir -p /var/run/docker-vpn-helper; mount -t tmpfs -o size=4k none /var/run/docker-vpn-helper; dd if=/dev/zero of=/var/run/docker-vpn-helper/full bs=1k || :`)
	h.fails(1, "No space left on device", "rolled back")
	h.same("dockerd's PID", pid, h.vm.DockerdPID())
	h.inside(`umount /var/run/docker-vpn-helper`)
	h.heals()
}

func TestHostileReadOnly(t *testing.T) {
	bothStyles(t, func(h *hostile) {
		pid := h.vm.DockerdPID()
		dir := h.vm.CertDir()
		h.inside(fmt.Sprintf("mount --bind %[1]s %[1]s; mount -o remount,ro,bind %[1]s", dir))
		h.fails(1, "read-only", dir)
		h.same("dockerd's PID", pid, h.vm.DockerdPID())
		h.inside("umount " + dir)
		h.heals()
	})
}

// dockerd will have no other certificate than the one that it has: the old one
// serves, and its containers run again.
func TestHostileDockerdRefusesTheNewCertificate(t *testing.T) {
	bothStyles(t, func(h *hostile) {
		h.dockerdBecomes(`good || { echo 'level=fatal msg="this certificate is not for me"' >&2; exit 1; }; exec "$REAL" "$@"`)
		r := h.fails(1, "did not start with the new certificate", "this certificate is not for me", "started again: plain", "rolled back")
		if strings.Contains(r.Stderr, "not running any more") {
			h.Errorf("containers are lost:\n%s", r.Stderr)
		}
		h.dockerdIsBack()
		h.heals()
	})
}

func TestHostileDockerdIsSlow(t *testing.T) {
	wait := 8
	if soaking() {
		wait = 40
	}
	h := besieged(t, nsguest.Boot2docker)
	h.dockerdBecomes(fmt.Sprintf(`sleep %d; exec "$REAL" "$@"`, wait))
	r := h.helper("fix", "default", "--yes")
	h.same("exit", 0, r.Exit)
	if r.Took < time.Duration(wait)*time.Second {
		h.Errorf("dockerd was up after %s", r.Took)
	}
	h.dockerdIsBack()
	h.same("running containers", h.before.Running, h.running("plain", "kept"))
	h.shell(`eval "$(docker-vpn-helper env default)"; docker version`)
}

// dockerd neither comes up nor ends. In make e2e, which has no 90 seconds to
// wait, it is TestHostileDockerdRefusesTheNewCertificate that has the same ending.
func TestHostileDockerdHangs(t *testing.T) {
	h := besieged(t, nsguest.Boot2docker)
	if !soaking() {
		h.same("exit", 0, h.helper("fix", "default", "--yes").Exit)
		return
	}
	h.dockerdBecomes(`good || { echo 'level=info msg="thinking about it"' >&2; echo $$ >/var/run/docker.pid; exec sleep 1000; }; exec "$REAL" "$@"`)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	r, err := h.lab.Run(ctx, nil, "docker-vpn-helper", "fix", "default", "--yes")
	h.must(err)
	h.says(r, 1, "did not start with the new certificate", "thinking about it")
	h.same("afterwards", h.before, h.state())
	h.dockerdIsBack()
	h.heals()
}

// The old files are back, and nobody serves them.
func TestHostileDockerdNeverComesUp(t *testing.T) {
	bothStyles(t, func(h *hostile) {
		h.dockerdBecomes(`echo 'level=fatal msg="the disk has died"' >&2; exit 1`)
		h.says(h.helper("fix", "default", "--yes"), 5, "the disk has died", "rollback is incomplete", "hint: docker-vpn-helper undo default")
		h.same("files on the docker host", h.before.Host, fmt.Sprint(h.hostFiles()))
		h.dockerdIsBack()
		h.heals()
	})
}

func TestHostileSudoRefused(t *testing.T) {
	bothStyles(t, func(h *hostile) {
		pid := h.vm.DockerdPID()
		h.inside(`sed -i '/^docker /d' /etc/sudoers`)
		h.fails(1, "sudo is refused")
		h.same("dockerd's PID", pid, h.vm.DockerdPID())
		h.inside(`echo 'docker ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers`)
		h.heals()
	})
}

func TestHostileNoInitScript(t *testing.T) {
	h := besieged(t, nsguest.Boot2docker)
	pid := h.vm.DockerdPID()
	h.inside(`mv /etc/init.d/docker /etc/init.d/away`)
	h.fails(1, "/etc/init.d/docker")
	h.same("dockerd's PID", pid, h.vm.DockerdPID())
	h.inside(`mv /etc/init.d/away /etc/init.d/docker`)
	h.heals()
}
