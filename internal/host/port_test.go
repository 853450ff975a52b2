package host

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPrivilegedPort compares with what really becomes of a listener, as a user who is not
// root; the ports that are root's differ between systems and settings.
func TestPrivilegedPort(t *testing.T) {
	const child = "DVH_PRIVILEGED_PORT"
	if os.Getenv(child) == "" && os.Getuid() == 0 {
		cmd := exec.Command(copyForEverybody(t), "-test.run=^TestPrivilegedPort$", "-test.v")
		cmd.Dir, cmd.Env = "/", append(os.Environ(), child+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Error(err)
		}
		return
	}
	for _, port := range []int{1, 79, 1023, 1024} {
		want := PortFree
		ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		switch {
		case err == nil:
			ln.Close()
		case errors.Is(err, fs.ErrPermission):
			want = PortPrivileged
		case errors.Is(err, syscall.EADDRINUSE):
			want = PortTaken
		default:
			t.Fatal(err)
		}
		if use, err := NewLocal(Sudo{}).PortUse(t.Context(), port); use != want || err != nil {
			t.Errorf("port %d: %s, %v, want %s", port, use, err, want)
		}
		t.Logf("port %d: %s", port, want)
	}
}

// copyForEverybody is a copy of this program where any user may run it.
func copyForEverybody(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "privileged-port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "host.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	return file
}
