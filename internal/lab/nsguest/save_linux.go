package nsguest

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
)

// Pause stops the VM's processes and unplugs its cables.
func (v *VM) Pause(ctx context.Context) error {
	if v.PID() == 0 {
		return errOff
	}
	return errors.Join(v.Group.Freeze(true), v.NS.IP(ctx, "link set eth0 down", "link set eth1 down"))
}

// Resume undoes Pause.
func (v *VM) Resume(ctx context.Context) error {
	if v.PID() == 0 {
		return errOff
	}
	return errors.Join(
		v.NS.IP(ctx, "link set eth0 up", "link set eth1 up", "route replace default via "+NATGateway),
		v.Group.Freeze(false))
}

// Save pauses the VM and lets it outlive the calling process, until Restore. That is as near as it
// gets to a saved state.
func (r *Running) Save(ctx context.Context) error {
	if err := r.vm.Pause(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(r.vm.savedFile(), nil, 0o644); err != nil {
		return err
	}
	return r.guard.Close()
}

// Restore takes over a saved VM and resumes it. From then on a reboot looks like a power-off:
// WantsReboot stays false.
func (v *VM) Restore(ctx context.Context) (*Running, error) {
	if err := v.Resume(ctx); err != nil {
		return nil, err
	}
	r := &Running{vm: v, done: make(chan struct{})}
	go func() {
		_ = await.Until(context.Background(), "the end of "+v.Name, func() (bool, error) { return v.PID() == 0, nil })
		close(r.done)
	}()
	if err := r.startGuard(); err != nil {
		return nil, err
	}
	return r, os.Remove(v.savedFile())
}

// Saved reports whether the VM is saved.
func (v *VM) Saved() bool {
	_, err := os.Stat(v.savedFile())
	return err == nil && v.PID() != 0
}

func (v *VM) savedFile() string { return filepath.Join(v.Dir, "saved") }

// startGuard starts a process that notices when this one ends, even by SIGKILL, because its
// standard input ends then.
func (r *Running) startGuard() error {
	cmd := exec.Command(r.vm.Program, "guard", r.vm.Dir, strconv.Itoa(r.vm.PID()))
	// Not in the VM's own group: that may be frozen.
	group, err := cgroup.Group(path.Dir(string(r.vm.Group))).Open()
	if err != nil {
		return err
	}
	defer group.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.guard = in
	go func() {
		<-r.done
		_ = in.Close()
	}()
	go func() { _ = cmd.Wait() }()
	return nil
}

// Guard waits for the end of its standard input. Then it powers the VM off, unless the VM was saved
// or its first process no longer has this PID.
func Guard(ctx context.Context, dir string, pid string) error {
	v, err := Open(dir)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if strconv.Itoa(v.PID()) != pid || v.Saved() {
		return nil
	}
	return v.PowerOff(ctx)
}
