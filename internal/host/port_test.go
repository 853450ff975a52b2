package host

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestPrivilegedPort compares with what really becomes of a listener, as a user who is not
// root; the ports that are root's differ between systems and settings.
func TestPrivilegedPort(t *testing.T) {
	const child = "DVH_PRIVILEGED_PORT"
	if os.Getenv(child) == "" && os.Getuid() == 0 {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/fd/3", "-test.run=^TestPrivilegedPort$", "-test.v")
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			t.Skip("a process of another user cannot be given this binary here")
		}
		binary, err := os.Open(exe) // which that user may not find by its path
		if err != nil {
			t.Fatal(err)
		}
		defer binary.Close()
		cmd.ExtraFiles = []*os.File{binary}
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
