package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/process"
)

// VirtualBox changes what VirtualBox knows, behind everybody's back.
func (l *Lab) VirtualBox(change func(*fakevbox.VirtualBox) error) error {
	return fakevbox.Update(l.vbox(), change)
}

// Occupy lets a program that has nothing to do with docker listen on a port of
// the laptop's loopback.
func (l *Lab) Occupy(ctx context.Context, port int) error {
	name := fmt.Sprintf("occupy-%d", port)
	cmd := l.Laptop().Command(context.Background(), "busybox", "httpd", "-f", "-p", fmt.Sprintf("127.0.0.1:%d", port))
	cmd.Dir = l.Home()
	file := process.File(filepath.Join(l.Dir(), name+".pid"))
	if err := file.Spawn(cmd, l.Group(), filepath.Join(l.Dir(), name+".log")); err != nil {
		return err
	}
	return await.Until(ctx, fmt.Sprintf("a listener on port %d", port), func() (bool, error) {
		conn, err := l.Laptop().Dial(ctx, fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}

// KillVirtualBox ends a running VM's VBoxHeadless without giving it a chance.
func (l *Lab) KillVirtualBox(ctx context.Context, machine string) error {
	w, err := fakevbox.Load(l.vbox())
	if err != nil {
		return err
	}
	box := w.Find(machine)
	if box == nil || box.PID == 0 {
		return fmt.Errorf("VM %s does not run", machine)
	}
	if err := syscall.Kill(box.PID, syscall.SIGKILL); err != nil {
		return err
	}
	return await.Until(ctx, "VBoxHeadless of "+machine+" to end", func() (bool, error) {
		return syscall.Kill(box.PID, 0) == syscall.ESRCH, nil
	})
}
