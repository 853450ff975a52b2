// Package terminal runs a command on a real terminal: a tmux server of the test's own.
package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Terminal is one tmux server with one window.
type Terminal struct {
	testing.TB
	socket string
}

// Open runs a shell command on a terminal of 40 lines. The server ends with the test.
func Open(t testing.TB, columns int, command string) Terminal {
	t.Helper()
	s := Terminal{t, filepath.Join(t.TempDir(), "tmux")}
	s.Tmux("new-session", "-d", "-x", fmt.Sprint(columns), "-y", "40", command)
	t.Cleanup(func() { s.Tmux("kill-server") })
	return s
}

// Tmux is tmux with these arguments.
func (s Terminal) Tmux(args ...string) string {
	s.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-f", "/dev/null", "-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Shows waits until the screen has a text, and returns the screen with its colors.
func (s Terminal) Shows(text string) string {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(s.Tmux("capture-pane", "-p"), text) {
			return s.Tmux("capture-pane", "-p", "-e")
		}
		if time.Now().After(deadline) {
			s.Fatalf("no %q on the screen:\n%s", text, s.Tmux("capture-pane", "-p"))
		}
	}
}
