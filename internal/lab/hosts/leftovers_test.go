//go:build e2e && linux

package hosts

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A run that is interrupted removes the directory of ssh's socket; one that is killed leaves
// it to the next run.
func TestInterruptedLogins(t *testing.T) {
	for _, end := range []struct {
		name   string
		signal syscall.Signal
		left   int
	}{{"ctrl_c", syscall.SIGINT, 0}, {"killed", syscall.SIGKILL, 1}} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			name := s.tcp(s.silent)
			cmd := exec.Command(filepath.Join(s.path("bin"), program), "doctor", name)
			cmd.Env = []string{"HOME=" + s.home, "PATH=" + s.path("bin") + ":/usr/bin:/bin"}
			s.must(cmd.Start())
			pattern := fmt.Sprintf("/tmp/dvh-ssh-%d-*", cmd.Process.Pid)
			began := s.wait(func() bool { return len(s.glob(pattern)) == 1 })
			_ = cmd.Process.Signal(end.signal)
			_ = cmd.Wait()
			if left := s.glob(pattern); !began || len(left) != end.left {
				t.Errorf("there was a directory: %v; left is %q, want %d", began, left, end.left)
			}
			s.doctor(name)
			if left := s.glob(pattern); len(left) != 0 {
				t.Errorf("the next run leaves %q", left)
			}
		})
	}
}

func (s *scene) glob(pattern string) []string {
	s.Helper()
	found, err := filepath.Glob(pattern)
	s.must(err)
	return found
}

// wait reports whether something happens soon.
func (s *scene) wait(happens func() bool) bool {
	for range 1000 {
		if happens() {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}
