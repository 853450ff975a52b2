package dockerhost

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const (
	oldCert = "-----BEGIN CERTIFICATE-----\nOLD it's $HOME `x`\n-----END CERTIFICATE-----\n"
	newCert = "-----BEGIN CERTIFICATE-----\nNEW\n-----END CERTIFICATE-----"
	badCert = "-----BEGIN CERTIFICATE-----\nBAD\n-----END CERTIFICATE-----\n"
)

// machine is a docker host in a directory: the real scripts in a real shell,
// with the absolute paths moved, and with a fake dockerd, docker client and sudo.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T, shell string) *machine {
	t.Helper()
	m := &machine{t, t.TempDir()}
	for _, d := range []string{"bin", "var/run", "var/log", "var/lib/boot2docker/log", "etc/init.d", "proc/net", "containers"} {
		check(t, os.MkdirAll(filepath.Join(m.root, d), 0o755))
	}
	path, err := exec.LookPath(shell)
	check(t, err)
	check(t, os.Symlink(path, filepath.Join(m.root, "bin/sh")))
	m.write("var/lib/boot2docker/server.pem", oldCert)
	check(t, os.Chmod(m.path("var/lib/boot2docker/server.pem"), 0o640))
	check(t, syscall.Mkfifo(m.path("never-written"), 0o600))
	m.fake("dockerd", "real/dockerd", "dockerd")
	m.fake("docker", "real/docker", "docker")
	m.fake("init", "etc/init.d/real", "init")
	m.step("bin/docker", m.path("real/docker"))
	m.step("etc/init.d/docker", m.path("etc/init.d/real"))
	for _, name := range []string{"mv", "ln", "cp", "rm", "sync", "chmod", "mkdir"} {
		real, err := exec.LookPath(name)
		check(t, err)
		m.step("bin/"+name, real)
	}
	t.Cleanup(m.killAll)
	m.boot()
	m.write("actions", "")
	return m
}

func (m *machine) path(rel string) string { return filepath.Join(m.root, rel) }

func (m *machine) write(rel, data string) {
	m.t.Helper()
	check(m.t, os.MkdirAll(filepath.Dir(m.path(rel)), 0o755))
	// A child that is forked meanwhile would hold the file open for writing, and
	// running it would fail with "text file busy" (go.dev/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	check(m.t, os.WriteFile(m.path(rel), []byte(data), 0o755))
}

// logged writes a log as if it had been written last at now plus shift.
func (m *machine) logged(rel, text string, shift time.Duration) {
	m.t.Helper()
	m.write(rel, text)
	at := time.Now().Add(shift)
	check(m.t, os.Chtimes(m.path(rel), at, at))
}

func (m *machine) read(rel string) string {
	data, _ := os.ReadFile(m.path(rel))
	return string(data)
}

func (m *machine) glob(pattern string) (rel []string) {
	found, _ := filepath.Glob(m.path(pattern))
	for _, f := range found {
		rel = append(rel, strings.TrimPrefix(f, m.root+"/"))
	}
	return rel
}

// killAll ends every process of this machine: its dockerds, and whatever has
// the machine's directory, which no other has, among its arguments.
func (m *machine) killAll() {
	for pid := range strings.FieldsSeq(m.read("pids")) {
		m.kill(pid)
	}
	for range 3 {
		procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, p := range procs {
			if args, err := os.ReadFile(p); err == nil && bytes.Contains(args, []byte(m.root+"/")) {
				m.kill(strings.Split(p, "/")[2])
			}
		}
	}
}

func (m *machine) kill(pid string) {
	if n, err := strconv.Atoi(pid); err == nil && n > 1 {
		syscall.Kill(n, syscall.SIGKILL)
	}
}

func (m *machine) fake(name, to, source string) {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/fake", source))
	check(m.t, err)
	m.write(to, strings.ReplaceAll(string(data), "@ROOT@", m.root))
}

func (m *machine) step(to, real string) {
	m.t.Helper()
	data, err := os.ReadFile("testdata/fake/step")
	check(m.t, err)
	m.write(to, strings.NewReplacer("@ROOT@", m.root, "@REAL@", real).Replace(string(data)))
}

// container adds one that runs.
func (m *machine) container(name string, facts map[string]string) {
	m.t.Helper()
	all := map[string]string{"state": "running", "restart": "no", "rm": "false", "net": "", "started": "2024-01-01T00:00:00.5Z"}
	for k, v := range facts {
		all[k] = v
	}
	for k, v := range all {
		m.write("containers/id-"+name+"/"+k, v+"\n")
	}
}

// running is the state of every container that exists.
func (m *machine) states() map[string]string {
	out := map[string]string{}
	for _, f := range m.glob("containers/id-*/state") {
		out[strings.TrimPrefix(strings.Split(f, "/")[1], "id-")] = strings.TrimSpace(m.read(f))
	}
	return out
}

func (m *machine) boot() {
	m.t.Helper()
	out, err := exec.Command(m.path("etc/init.d/real"), "start").CombinedOutput()
	if err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
}

// powerLoss ends every process and empties what is only in memory.
func (m *machine) powerLoss() {
	m.t.Helper()
	m.killAll()
	check(m.t, os.RemoveAll(m.path("var/run")))
	check(m.t, os.MkdirAll(m.path("var/run"), 0o755))
	os.Remove(m.path("serving"))
}

// start runs a command on the machine.
func (m *machine) start(ctx context.Context, cmd host.Cmd) (*exec.Cmd, *bytes.Buffer) {
	m.t.Helper()
	moved := strings.NewReplacer("/var/", m.root+"/var/", "/etc/", m.root+"/etc/", "/proc/net/", m.root+"/proc/net/",
		"/proc/[", m.root+"/proc/[",
		// A crash is believed at once, to save the test's time.
		"gone)) -ge 5", "gone)) -ge 0").Replace(string(cmd.Stdin))
	c := exec.CommandContext(ctx, m.path("bin/sh"), cmd.Argv[1:]...)
	c.Env = []string{"PATH=" + m.path("bin") + ":/usr/bin:/bin"}
	c.Stdin = strings.NewReader(moved)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	// What a killed waiter leaves behind must not keep us waiting for its output.
	c.WaitDelay = 100 * time.Millisecond
	check(m.t, c.Start())
	m.write("waiter", strconv.Itoa(c.Process.Pid))
	return c, &out
}

func (m *machine) run(cmd host.Cmd) Result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 60*time.Second)
	defer cancel()
	c, out := m.start(ctx, cmd)
	c.Wait()
	r, err := parseResult(out.Bytes())
	if err != nil {
		m.t.Fatalf("%v\n%s\nlog: %s", err, out, m.read("var/run/docker-vpn-helper/id-1/log"))
	}
	return r
}

func (m *machine) swap(old, fresh string) host.Cmd {
	m.t.Helper()
	cmd, err := Swap{ID: "id-1", Cert: "/var/lib/boot2docker/server.pem", From: []byte(old), To: []byte(fresh),
		daemon: daemon{Init: "/etc/init.d/docker", Port: 2376, Deadline: 10 * time.Second}}.cmd()
	check(m.t, err)
	return cmd
}

// world is what must be right afterwards.
type world struct {
	Cert, Serving string
	Beside        []string // files beside the certificate, but for the logs
	Containers    map[string]string
}

func (m *machine) world() world {
	m.t.Helper()
	w := world{Cert: m.read("var/lib/boot2docker/server.pem"), Serving: m.read("serving"), Containers: m.states()}
	entries, err := os.ReadDir(m.path("var/lib/boot2docker"))
	check(m.t, err)
	for _, e := range entries {
		if e.Name() != "server.pem" && e.Name() != "log" {
			w.Beside = append(w.Beside, e.Name())
		}
	}
	return w
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) await(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("waited in vain until %s\nlog: %s", what, m.read("var/run/docker-vpn-helper/id-1/log"))
		}
	}
}
