package dockerhost

import (
	"os"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/posix"
)

func TestSwap(t *testing.T) {
	eight := func(m *machine) {
		m.container("plain", map[string]string{"started": "2024-01-01T00:00:03Z"})
		m.container("unless-stopped", map[string]string{"restart": "unless-stopped"})
		m.container("always", map[string]string{"restart": "always"})
		m.container("paused", map[string]string{"state": "paused", "started": "2024-01-01T00:00:02.75Z"})
		m.container("gone", map[string]string{"rm": "true"})
		m.container("off", map[string]string{"state": "exited"})
		// Started before the one whose network it needs: only a restart policy makes that possible.
		m.container("dependant", map[string]string{"net": "id-plain", "started": "2024-01-01T00:00:02.7Z"})
	}
	after := map[string]string{"plain": "running", "unless-stopped": "running", "always": "running", "paused": "paused", "off": "exited", "dependant": "running"}
	fatal := `level=fatal msg="tls: failed to find any PEM data"`
	up := `level=info msg="API listen on [::]:2376"`
	for name, tt := range map[string]struct {
		arrange func(*machine)
		fresh   string
		want    Result
		world   world
	}{
		"no_containers": {nil, newCert, Result{Outcome: Swapped, File: "new", Log: up}, world{newCert, newCert, nil, map[string]string{}}},
		"eight_containers": {eight, newCert,
			Result{Outcome: Swapped, File: "new", Log: up, Restarted: []string{"paused", "plain", "dependant"}, Lost: []string{"gone"}},
			world{newCert, newCert, nil, after}},
		"client_of_docker_1_8": {func(m *machine) { m.write("old-client", ""); m.container("plain", nil) }, newCert,
			Result{Outcome: Swapped, File: "new", Log: up, Restarted: []string{"plain"}}, world{newCert, newCert, nil, map[string]string{"plain": "running"}}},
		"live_restore": {func(m *machine) {
			m.write("live-restore", "")
			m.container("plain", nil)
			m.container("gone", map[string]string{"rm": "true"})
		}, newCert,
			Result{Outcome: Swapped, File: "new", Log: up}, world{newCert, newCert, nil, map[string]string{"plain": "running", "gone": "running"}}},
		"container_that_cannot_start": {func(m *machine) { m.container("plain", map[string]string{"broken": "yes"}) }, newCert,
			Result{Outcome: Swapped, File: "new", Log: up, Failed: []string{"plain: Error response from daemon: no such device"}},
			world{newCert, newCert, nil, map[string]string{"plain": "exited"}}},
		"already_there": {func(m *machine) {
			m.write("var/lib/boot2docker/server.pem", newCert)
			m.write("serving", newCert)
		}, newCert, Result{Outcome: Already, File: "new", Log: up}, world{newCert, newCert, nil, map[string]string{}}},
		"already_there_but_dockerd_is_down": {func(m *machine) {
			m.write("var/lib/boot2docker/server.pem", newCert)
			m.powerLoss()
		}, newCert, Result{Outcome: Swapped, File: "new", Log: up}, world{newCert, newCert, nil, map[string]string{}}},
		"somebody_else_changed_it": {func(m *machine) { m.write("var/lib/boot2docker/server.pem", "third") }, newCert,
			Result{Outcome: Moved, File: "other", Reason: "ROOT/var/lib/boot2docker/server.pem is neither the old certificate nor the new one", Log: up},
			world{"third", oldCert, nil, map[string]string{}}},
		"file_gone": {func(m *machine) { os.Remove(m.path("var/lib/boot2docker/server.pem")) }, newCert,
			Result{Outcome: Moved, File: "other", Reason: "ROOT/var/lib/boot2docker/server.pem is not there", Log: up},
			world{"", oldCert, nil, map[string]string{}}},
		"disk_full": {func(m *machine) {
			m.step("bin/cp", m.path("bin/cp.full"))
			m.write("bin/cp.full", "#!/bin/sh\necho 'cp: error writing: No space left on device' >&2; exit 1\n")
		}, newCert, Result{Outcome: Unchanged, File: "old", Reason: "cp: error writing: No space left on device", Log: up},
			world{oldCert, oldCert, nil, map[string]string{}}},
		"run_directory_full": {func(m *machine) {
			check(m.t, os.RemoveAll(m.path("var/run/docker-vpn-helper")))
			m.write("var/run/docker-vpn-helper", "")
		}, newCert, Result{Outcome: Unchanged, Reason: "ROOT/var/run/docker-vpn-helper: File exists"},
			world{oldCert, oldCert, nil, map[string]string{}}},
		"dockerd_refuses_the_new_one": {eight, badCert,
			Result{Outcome: PutBack, File: "old", Reason: fatal, Log: up, Restarted: []string{"paused", "plain", "dependant"}, Lost: []string{"gone"}},
			world{oldCert, oldCert, nil, after}},
		// The init script neither stops this dockerd nor can it start another one.
		"pid_file_lost": {func(m *machine) {
			check(m.t, os.Remove(m.path("var/run/docker.pid")))
			m.container("plain", nil)
		}, newCert,
			Result{Outcome: Swapped, File: "new", Log: up}, world{newCert, newCert, nil, map[string]string{"plain": "running"}}},
		"dockerd_never_comes_up": {func(m *machine) { m.write("never", "") }, newCert,
			Result{Outcome: FailedDown, File: "old", Reason: fatal, Log: fatal}, world{oldCert, "", nil, map[string]string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, command := range posix.Shells(t) {
				shell := command[0]
				if name == "disk_full" && shell == "busybox" {
					continue // its cp is built in, there is no way to a fake one
				}
				if tt.want.Outcome == FailedDown && i > 0 {
					continue // takes a while
				}
				m := newMachine(t, shell)
				if tt.arrange != nil {
					tt.arrange(m)
				}
				got := m.run(m.swap(oldCert, tt.fresh))
				got.Reason = strings.ReplaceAll(got.Reason, m.root, "ROOT")
				if _, text, ok := strings.Cut(got.Reason, "mkdir: "); ok {
					// Every mkdir says it in its own words.
					got.Reason = strings.NewReplacer("cannot create directory ", "", "can't create directory ", "", "'", "", "‘", "", "’", "").Replace(text)
				}
				same(t, shell+": result", tt.want, got)
				same(t, shell+": world", tt.world, m.world())
				if info, err := os.Stat(m.path("var/lib/boot2docker/server.pem")); err == nil && name == "no_containers" && info.Mode().Perm() != 0o640 {
					t.Errorf("%s: mode %v", shell, info.Mode())
				}
				if t.Failed() {
					t.Fatalf("log: %s\nactions: %s", m.read("var/run/docker-vpn-helper/id-1/log"), m.read("actions"))
				}
			}
		})
	}
}

func TestSwapUnderUpstart(t *testing.T) {
	for _, command := range posix.Shells(t) {
		shell := command[0]
		m := newMachine(t, shell)
		m.write("bin/initctl", "#!/bin/sh\n[ \"$2\" = docker ] && exec "+m.path("etc/init.d/real")+" \"$1\"\n")
		m.write("etc/init.d/docker", "#!/bin/sh\necho 'docker is managed via upstart' >&2\nexit 1\n")
		cmd, err := Swap{ID: "id-1", Cert: "/var/lib/boot2docker/server.pem", From: []byte(oldCert), To: []byte(newCert), daemon: daemon{Init: Upstart, Port: 2376}}.cmd()
		check(t, err)
		same(t, shell, Result{Outcome: Swapped, File: "new", Log: `level=info msg="API listen on [::]:2376"`}, m.run(cmd))
		same(t, shell, world{newCert, newCert, nil, map[string]string{}}, m.world())
		same(t, shell, "stop\nstart\n", m.read("actions"))
	}
}
