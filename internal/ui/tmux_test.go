//go:build e2e

package ui

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain shows a report on this process's own terminal, when tmux runs it.
func TestMain(m *testing.M) {
	if os.Getenv("DVH_SHOW") == "" {
		os.Exit(m.Run())
	}
	u := New(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	done := u.Busy("default", "a step that is so slow that everybody waits for it")
	time.Sleep(1500 * time.Millisecond)
	u.Say("[default] adding NAT rule 127.0.0.1:2376 -> VM port 2376")
	time.Sleep(1500 * time.Millisecond)
	done()
	u.Report(broken(), fixIt)
	fmt.Print("END")
	time.Sleep(time.Minute)
	os.Exit(0)
}

// terminal is a tmux server of the test's own.
type terminal struct {
	*testing.T
	socket string
}

func (s terminal) tmux(args ...string) string {
	s.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-f", "/dev/null", "-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func open(t *testing.T, columns int, env ...string) terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := terminal{t, filepath.Join(t.TempDir(), "tmux")}
	command := "exec env DVH_SHOW=1 " + strings.Join(env, " ") + " '" + exe + "'"
	s.tmux("new-session", "-d", "-x", fmt.Sprint(columns), "-y", "40", command)
	t.Cleanup(func() { s.tmux("kill-server") })
	return s
}

// shows waits until the screen has a text, and returns the screen with its colours.
func (s terminal) shows(text string) string {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(s.tmux("capture-pane", "-p"), text) {
			return s.tmux("capture-pane", "-p", "-e")
		}
		if time.Now().After(deadline) {
			s.Fatalf("no %q on the screen:\n%s", text, s.tmux("capture-pane", "-p"))
		}
	}
}

// Issue 5, line 4.
func TestScreens(t *testing.T) {
	for name, c := range map[string]struct {
		columns int
		env     []string
	}{
		"40": {40, nil}, "80": {80, nil}, "200": {200, nil},
		"40-no-color":  {40, []string{"NO_COLOR=1"}},
		"80-no-color":  {80, []string{"NO_COLOR=1"}},
		"200-no-color": {200, []string{"NO_COLOR=1"}},
		"80-latin":     {80, []string{"LC_ALL=C"}},
		"80-dumb":      {80, []string{"TERM=dumb"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, c.columns, append([]string{"LC_ALL=C.UTF-8"}, c.env...)...)
			golden(t, "screen-"+name, []byte(s.shows("END")))
		})
	}
}

// What moves leaves nothing behind when the terminal is made narrower meanwhile.
func TestResize(t *testing.T) {
	t.Parallel()
	s := open(t, 100, "LC_ALL=C.UTF-8", "NO_COLOR=1")
	s.shows("default: a step")
	s.tmux("resize-window", "-x", "40", "-y", "40")
	golden(t, "screen-40-no-color", []byte(s.shows("END")))
}
