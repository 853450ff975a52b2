package nsguest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/process"
)

// Running is a VM that this process has powered on or taken over, and that ends with this process.
type Running struct {
	vm     *VM
	done   chan struct{}
	signal syscall.Signal
	guard  io.Closer // see Guard
}

// Done is closed when the VM's power is gone, for whatever reason.
func (r *Running) Done() <-chan struct{} { return r.done }

// WantsReboot reports, after Done, whether the VM wants to be powered on again: the kernel ends the
// first process of a PID namespace by SIGHUP if it asked for a reboot, and by SIGINT if it asked to
// be switched off (reboot(2)).
func (r *Running) WantsReboot() bool { return r.signal == syscall.SIGHUP }

// PowerOn boots the VM and returns once its first process exists; AwaitReady
// waits for more. The VM dies with the calling process, as a VM does with its
// VBoxHeadless, unless Save comes first.
func (v *VM) PowerOn(ctx context.Context) (*Running, error) {
	if v.PID() != 0 {
		return nil, fmt.Errorf("VM %s is on already", v.Name)
	}
	if v.Style == Boot2docker {
		for _, d := range []string{"upper", "work"} {
			dir := filepath.Join(v.Dir, d)
			if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
				return nil, err
			}
		}
	}
	if err := v.plugIn(ctx); err != nil {
		return nil, fmt.Errorf("connecting VM %s: %w", v.Name, err)
	}
	if err := errors.Join(v.Group.Make(), v.Group.MakeV1()); err != nil {
		return nil, err
	}
	group, err := v.Group.Open()
	if err != nil {
		return nil, err
	}
	defer group.Close()
	console, err := os.OpenFile(filepath.Join(v.Dir, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	r := &Running{vm: v, done: make(chan struct{})}
	cmd := v.NS.Command(context.Background(), v.Program, "boot", v.Dir)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:      true,
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("powering on %s: %w", v.Name, err)
	}
	go func() {
		_ = cmd.Wait()
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			r.signal = ws.Signal()
		}
		close(r.done)
	}()
	if err := v.pidFile().Remember(cmd.Process.Pid); err != nil {
		return nil, err
	}
	return r, r.startGuard()
}

// plugIn makes a new network namespace for the VM, with eth0 on the NAT network and eth1 on the
// host-only network.
func (v *VM) plugIn(ctx context.Context) error {
	if err := v.unplug(ctx); err != nil {
		return err
	}
	if !v.NAT.Exists() {
		if err := v.NAT.Add(ctx); err != nil {
			return err
		}
	}
	if err := v.NS.Add(ctx); err != nil {
		return err
	}
	// The far ends go with the namespace, but only after a moment: hence names
	// that were never used before.
	far := "p" + strconv.FormatInt(time.Now().UnixNano()%(1<<40), 36)
	if err := errors.Join(
		netns.Veth(ctx, v.NS, "eth0", v.NAT, far),
		netns.Veth(ctx, v.NS, "eth1", v.Switch, far),
	); err != nil {
		return err
	}
	lines := append(address("eth0", v.NATMAC), address("eth1", v.HostOnlyMAC)...)
	return errors.Join(
		v.NAT.IP(ctx, "addr add "+NATGateway+"/24 dev "+far, "link set "+far+" up"),
		v.Switch.IP(ctx, "link set "+far+" master "+v.Bridge+" up"),
		v.NS.IP(ctx, append(lines,
			"addr add "+NATGuest+"/24 dev eth0", "link set eth0 up",
			"addr add "+v.HostOnly.String()+" dev eth1", "link set eth1 up",
			"route add default via "+NATGateway)...),
	)
}

// address returns the arguments of ip that set an interface's MAC; none for a MAC that is not 12
// hex digits.
func address(dev, mac string) []string {
	b, err := hex.DecodeString(mac)
	if err != nil || len(b) != 6 {
		return nil
	}
	return []string{"link set " + dev + " address " + net.HardwareAddr(b).String()}
}

func (v *VM) unplug(ctx context.Context) error {
	if v.NS.Exists() {
		// Without this the addresses would answer until the namespace is gone.
		_ = v.NS.IP(ctx, "link delete eth0", "link delete eth1")
	}
	return v.NS.Delete(ctx)
}

// PowerOff cuts the power.
func (v *VM) PowerOff(ctx context.Context) error {
	if err := v.Group.Freeze(false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := v.Group.Kill(ctx); err != nil {
		return err
	}
	return errors.Join(v.pidFile().Forget(), v.unplug(ctx))
}

// ShutDown presses the power button and waits until the VM has switched itself off.
func (v *VM) ShutDown(ctx context.Context) error {
	pid := v.PID()
	if pid == 0 {
		return errOff
	}
	if v.Style == Systemd {
		if err := unix.Kill(pid, unix.Signal(34+4)); err != nil { // SIGRTMIN+4: poweroff.target (systemd(1))
			return err
		}
		err := await.Until(ctx, "VM "+v.Name+" to switch itself off", func() (bool, error) { return v.PID() == 0, nil })
		return errors.Join(err, v.PowerOff(ctx))
	}
	// busybox init would wait two seconds more for nothing.
	_, err := v.Enter(ctx, "/etc/init.d/rcK").Output()
	return errors.Join(err, v.PowerOff(ctx))
}

// DialNAT connects to a port of the VM as VirtualBox's NAT engine does.
func (v *VM) DialNAT(ctx context.Context, port int) (net.Conn, error) {
	return v.NAT.Dial(ctx, net.JoinHostPort(NATGuest, strconv.Itoa(port)))
}

func (v *VM) pidFile() process.File { return process.File(filepath.Join(v.Dir, "pid")) }

// PID returns the PID of the VM's first process on this machine, 0 if the VM is off.
func (v *VM) PID() int { return v.pidFile().PID() }
