//go:build e2e && linux

// Package hosts tries the program against docker hosts that are no machines, each with one
// thing wrong: real sockets, a real sshd, the real docker command.
package hosts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const program = "docker-vpn-helper"

// TestMain turns this binary into the program under test.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Signals: host.Signals,
			Laptop: func(s host.Sudo) host.Laptop { return host.NewLocal(s) }, Version: "test", Now: time.Now}))
	}
	os.Exit(m.Run())
}

// scene is a laptop with one docker host.
type scene struct {
	*testing.T
	dir, home string
	env       map[string]string
	user      *syscall.Credential // nil: the one that runs the tests
}

func newScene(t *testing.T) *scene {
	t.Helper()
	// Not t.TempDir: other users must get in, and a socket's path is short.
	dir, err := os.MkdirTemp("/tmp", "dvh-scene-")
	s := &scene{T: t, dir: dir, home: filepath.Join(dir, "home"), env: map[string]string{}}
	s.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.must(os.Chmod(dir, 0o755))
	for _, d := range []string{s.home, filepath.Join(dir, "bin")} {
		s.must(os.MkdirAll(d, 0o755))
	}
	binary, err := os.Executable()
	s.must(err)
	data, err := os.ReadFile(binary)
	s.must(err)
	s.executable(filepath.Join(dir, "bin", program), data)
	return s
}

// executable writes a file that is run later. No process may be forked meanwhile: it would
// hold the file open for writing, and running it would fail (golang/go#22315).
func (s *scene) executable(path string, data []byte) {
	s.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	s.must(os.WriteFile(path, data, 0o755))
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// as has the program run as another user: a uid, a primary group, no others.
func (s *scene) as(name string, gid uint32) {
	s.Helper()
	u, err := user.Lookup(name)
	s.must(err)
	var uid uint32
	_, err = fmt.Sscan(u.Uid, &uid)
	s.must(err)
	s.user = &syscall.Credential{Uid: uid, Gid: gid}
	s.must(os.Chown(s.home, int(uid), int(gid)))
}

// run runs a command on the laptop and returns what it prints and its exit status.
func (s *scene) run(stdin string, argv ...string) (stdout, stderr string, exit int) {
	s.Helper()
	return s.runFor(60*time.Second, stdin, argv...)
}

// killed is the exit status of a command whose time was over.
const killed = -1

// runFor is run with another limit.
func (s *scene) runFor(limit time.Duration, stdin string, argv ...string) (stdout, stderr string, exit int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	path := s.path("bin") + ":" + os.Getenv("PATH")
	if strings.Contains(argv[0], program) {
		argv = append([]string{filepath.Join(s.path("bin"), argv[0])}, argv[1:]...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"HOME=" + s.home, "PATH=" + path, "LC_ALL=C.UTF-8"}
	for k, v := range s.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) && ctx.Err() == nil {
		s.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// report is what matters here of doctor --json.
type report struct {
	Host, Status, Cause string
	Layers              []layer
}

type layer struct {
	Layer, Status string
	Findings      []finding
}

type finding struct{ Code, Status, Title, Hint string }

// doctor diagnoses a docker host, which must change nothing and take no longer than a
// diagnosis may.
func (s *scene) doctor(name string) report {
	s.Helper()
	before := s.listing()
	began := time.Now()
	out, stderr, exit := s.run("", program, "--json", "doctor", name)
	if took := time.Since(began); took > limit && took > limit+20*s.startTime() {
		s.Errorf("doctor took %s", took)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		s.Fatalf("exit status %d: %s%s", exit, out, stderr)
	}
	if want := map[bool]int{true: 1, false: 0}[r.Status == "fail"]; exit != want {
		s.Errorf("exit status %d with status %s", exit, r.Status)
	}
	if after := s.listing(); after != before {
		s.Errorf("doctor changed the home directory:\n%s\nbefore:\n%s", after, before)
	}
	s.Log(out)
	return r
}

// limit is doctor's own limit, and what starting a few processes takes.
const limit = 5*time.Second + 1500*time.Millisecond

// startTime is how long a process takes now that does nearly nothing: long where many others run.
func (s *scene) startTime() time.Duration {
	s.Helper()
	began := time.Now()
	s.run("", program, "version")
	return time.Since(began)
}

// listing lists the home directory.
func (s *scene) listing() string {
	var b strings.Builder
	err := filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime())
		}
		return err
	})
	s.must(err)
	return b.String()
}

// explanation is what explain --json prints of a message.
type explanation struct {
	ID, Code string
	Also     []string
}

// explained is explain's answer to a message; zero where it has none.
func (s *scene) explained(message string) explanation {
	s.Helper()
	out, _, _ := s.run(message, program, "explain", "-", "--json")
	var e struct{ Explanation explanation }
	s.must(json.Unmarshal([]byte(out), &e))
	return e.Explanation
}

// docker is a command of docker's for a HOST.
func (s *scene) docker(name string) []string {
	switch kind, rest, _ := strings.Cut(name, ":"); kind {
	case "local":
		return []string{"docker", "ps"}
	case "context":
		return []string{"docker", "--context", rest, "ps"}
	}
	return []string{"docker", "--host", name, "ps"}
}
