package dockerhost

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/posix"
)

// killAt prepares the death of whoever works and whoever waits, at the n-th
// outside command, before it or after it.
func (m *machine) killAt(n int, when string) {
	m.write("count", "0\n")
	m.write("kill-at", fmt.Sprintf("%d %s\n", n, when))
}

// runToDeath runs a command that is expected to be killed.
func (m *machine) runToDeath(cmd host.Cmd) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 60*time.Second)
	defer cancel()
	c, _ := m.start(ctx, cmd)
	c.Wait()
	m.write("kill-at", "0 never\n")
}

func (m *machine) explain(t *testing.T) {
	if t.Failed() {
		t.Logf("log: %s\nactions: %s", m.read("var/run/docker-vpn-helper/id-1/log"), m.read("actions"))
	}
}

// between fails for what must never be seen: a file that is neither.
func (m *machine) between(t *testing.T) {
	t.Helper()
	if cert := m.read("var/lib/boot2docker/server.pem"); cert != oldCert && cert != newCert {
		t.Errorf("the certificate is %q", cert)
	}
}

func withContainers(m *machine) {
	m.container("plain", map[string]string{"started": "2024-01-01T00:00:03Z"})
	m.container("always", map[string]string{"restart": "always"})
	m.container("paused", map[string]string{"state": "paused", "started": "2024-01-01T00:00:02.75Z"})
}

var allUp = map[string]string{"plain": "running", "always": "running", "paused": "paused"}

// everyStep runs body once for every stride-th outside command that a
// transaction from oldCert to fresh uses, several at a time: they mostly wait.
func everyStep(t *testing.T, stride int, fresh string, body func(t *testing.T, n int)) {
	m := newMachine(t, "dash")
	withContainers(m)
	m.killAt(9999, "never")
	m.run(m.swap(oldCert, fresh))
	steps, _ := strconv.Atoi(strings.TrimSpace(m.read("count")))
	if steps < 30 {
		t.Fatalf("only %d steps", steps)
	}
	next := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range next {
				t.Run(strconv.Itoa(n), func(t *testing.T) { body(t, n) })
			}
		})
	}
	for n := 1; n <= steps; n += stride {
		next <- n
	}
	close(next)
	all.Wait()
}

// Whoever works is killed at every step in turn, and so is whoever waits: the
// same command again ends as if nothing had happened.
func TestKilledAtEveryStep(t *testing.T) {
	everyStep(t, 1, newCert, func(t *testing.T, n int) {
		m := newMachine(t, []string{"dash", "bash"}[n/2%2])
		withContainers(m)
		// In turns: what lies after one step lies before the next.
		m.killAt(n, []string{"before", "after"}[n%2])
		m.runToDeath(m.swap(oldCert, newCert))
		m.between(t)
		got := m.run(m.swap(oldCert, newCert))
		if got.Outcome != Swapped || got.File != "new" || len(got.Lost)+len(got.Failed) > 0 {
			t.Errorf("%+v", got)
		}
		same(t, "world", world{newCert, newCert, nil, allUp}, m.world())
		m.explain(t)
	})
}

// The same with a dockerd that refuses the new certificate: it ends with the old one.
func TestKilledAtEveryStepOfARollback(t *testing.T) {
	everyStep(t, 5, badCert, func(t *testing.T, n int) {
		m := newMachine(t, "dash")
		withContainers(m)
		m.killAt(n, "before")
		m.runToDeath(m.swap(oldCert, badCert))
		got := m.run(m.swap(oldCert, badCert))
		if got.Outcome != PutBack || got.File != "old" || len(got.Lost)+len(got.Failed) > 0 {
			t.Errorf("%+v", got)
		}
		same(t, "world", world{oldCert, oldCert, nil, allUp}, m.world())
		m.explain(t)
	})
}

// The power goes at a step: after the boot dockerd answers with one of the
// two, and the same command again ends with the new one.
func TestPowerLossAtEveryStep(t *testing.T) {
	everyStep(t, 3, newCert, func(t *testing.T, n int) {
		m := newMachine(t, "dash")
		m.container("always", map[string]string{"restart": "always"})
		m.killAt(n, "after")
		m.runToDeath(m.swap(oldCert, newCert))
		m.powerLoss()
		m.between(t)
		m.boot()
		if m.read("serving") != m.read("var/lib/boot2docker/server.pem") {
			t.Errorf("serves %q", m.read("serving"))
		}
		if got := m.run(m.swap(oldCert, newCert)); got.Outcome != Swapped && got.Outcome != Already {
			t.Errorf("%+v", got)
		}
		w := m.world()
		w.Containers = nil
		same(t, "world", world{newCert, newCert, nil, nil}, w)
		m.explain(t)
	})
}

// The laptop goes away, and with it whoever waits: the work goes on.
func TestConnectionCut(t *testing.T) {
	t.Parallel()
	for _, command := range posix.Shells(t) {
		shell := command[0]
		m := newMachine(t, shell)
		withContainers(m)
		m.write("slow", "")
		ctx, cut := context.WithCancel(t.Context())
		c, _ := m.start(ctx, m.swap(oldCert, newCert))
		m.await("it restarts", func() bool { return strings.Contains(m.read("actions"), "start") })
		cut()
		c.Wait()
		check(t, os.Remove(m.path("slow")))
		m.await("it ends", func() bool { return m.read("var/run/docker-vpn-helper/id-1/result") != "" })
		got := m.world()
		got.Containers = nil // "slow" hid them from being recorded
		same(t, shell, world{newCert, newCert, nil, nil}, got)
		if r := m.run(m.swap(oldCert, newCert)); r.Outcome != Swapped {
			t.Errorf("asked again: %+v", r)
		}
		if n := strings.Count(m.read("actions"), "stop"); n != 1 {
			t.Errorf("stopped %d times", n)
		}
	}
}

// Two ask at once, and a third for another transaction: one after the other.
func TestAskedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "dash")
	withContainers(m)
	other, err := restart{ID: "id-2", daemon: daemon{Init: "/etc/init.d/docker", Port: 2376}}.cmd()
	check(t, err)
	a, outA := m.start(t.Context(), m.swap(oldCert, newCert))
	b, outB := m.start(t.Context(), m.swap(oldCert, newCert))
	c, outC := m.start(t.Context(), other)
	var got []Outcome
	check(t, a.Wait())
	check(t, b.Wait())
	check(t, c.Wait())
	for _, out := range [][]byte{outA.Bytes(), outB.Bytes(), outC.Bytes()} {
		r, err := parseResult(out)
		check(t, err)
		got = append(got, r.Outcome)
	}
	same(t, "outcomes", []Outcome{Swapped, Swapped, Restarted}, got)
	same(t, "world", world{newCert, newCert, nil, allUp}, m.world())
	if n := strings.Count(m.read("actions"), "stop"); n != 2 {
		t.Errorf("stopped %d times", n)
	}
}

func TestStartsAStoppedDockerd(t *testing.T) {
	t.Parallel()
	m := newMachine(t, posix.Shells(t)[0][0])
	start := func(id string) Outcome {
		cmd, err := restart{ID: id, StartOnly: true, daemon: daemon{Init: "/etc/init.d/docker", Port: 2376}}.cmd()
		check(t, err)
		return m.run(cmd).Outcome
	}
	m.powerLoss()
	same(t, "outcomes", []Outcome{Restarted, Restarted, Already}, []Outcome{start("id-1"), start("id-1"), start("id-2")})
	same(t, "actions", "start\n", m.read("actions"))
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	for fresh, want := range map[string]Outcome{newCert: Swapped, badCert: PutBack} {
		m := newMachine(t, "dash")
		m.write("bin/systemctl", "#!/bin/sh\necho systemctl $* >>"+m.root+"/actions\ncase $1 in\nstop | start) exec "+m.root+
			"/etc/init.d/real $1 ;;\nis-failed) [ -f "+m.root+"/serving ] && echo active || echo failed ;;\nesac\n")
		cmd, err := Swap{ID: "id-1", Cert: "/var/lib/boot2docker/server.pem", From: []byte(oldCert), To: []byte(fresh), daemon: daemon{Init: Systemd, Port: 2376}}.cmd()
		check(t, err)
		if got := m.run(cmd); got.Outcome != want {
			t.Errorf("%+v", got)
		}
		if a := m.read("actions"); !strings.HasPrefix(a, "systemctl stop docker.service\nstop\nsystemctl reset-failed docker.service\nsystemctl start docker.service\nstart\n") {
			t.Error(a)
		}
	}
}

func TestAckForgetsTheResult(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "dash")
	m.run(m.swap(oldCert, newCert))
	forget, err := forgetTransaction("id-1")
	check(t, err)
	c, out := m.start(t.Context(), forget)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	same(t, "left", []string(nil), m.glob("var/run/docker-vpn-helper/id-*"))
	if r := m.run(m.swap(oldCert, newCert)); r.Outcome != Already {
		t.Errorf("%+v", r)
	}
}
