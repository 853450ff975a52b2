package changes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

const (
	kindStartVM = "start-vm"
	bootTime    = 3 * time.Minute // boot2docker on an old disk, with room to spare
	dockerdTime = time.Minute
)

// StartVM starts or resumes the VM and waits until it can be talked to.
type StartVM struct {
	Machine string
	From    vbox.State
}

// Startable says whether a VM in that state can be started or resumed.
func Startable(s vbox.State) bool {
	switch s {
	case vbox.PowerOff, vbox.Saved, vbox.Aborted, vbox.AbortedSaved, vbox.Paused, vbox.Starting, vbox.Restoring:
		return true
	}
	return false
}

// Kind implements world.Change.
func (c *StartVM) Kind() string { return kindStartVM }

func (c *StartVM) String() string {
	if c.From == vbox.Paused {
		return fmt.Sprintf("resume VM %s (paused)", c.Machine)
	}
	return fmt.Sprintf("start VM %s (%s)", c.Machine, c.From)
}

// Doing implements world.Change.
func (c *StartVM) Doing() string {
	if c.From == vbox.Paused {
		return "resuming the VM"
	}
	return "starting the VM"
}

// Risk implements world.Change.
func (c *StartVM) Risk() string { return "" }

// Permanent implements world.Permanent.
func (c *StartVM) Permanent() string {
	return "the VM is running now; neither a rollback nor undo stops it again"
}

// Backup implements world.Change.
func (c *StartVM) Backup(context.Context, *world.World) error { return nil }

// Apply implements world.Change.
func (c *StartVM) Apply(ctx context.Context, w *world.World) error {
	var err error
	switch c.From {
	case vbox.Paused:
		_, err = w.VBoxManage(ctx, vbox.ResumeVM(w.Machine.VMName))
	case vbox.Starting, vbox.Restoring:
	default:
		_, err = w.VBoxManage(ctx, vbox.StartVM(w.Machine.VMName))
	}
	if err != nil {
		return fmt.Errorf("starting VM %s: %w", c.Machine, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, bootTime, fmt.Errorf("VM %s was started and does not answer on SSH after %s", c.Machine, bootTime))
	defer cancel()
	for {
		w.Forget()
		if vm, err := w.VM(ctx); err == nil && vm.State == vbox.Running && greets(ctx, w) {
			break
		}
		if err := world.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	// dockerd comes up after sshd; that it does not is for its own rung to say.
	for deadline := w.Now().Add(dockerdTime); w.Now().Before(deadline); {
		w.Forget()
		if w.Ask(ctx, w.Inside()).Leaf != nil {
			return nil
		}
		if facts, err := w.Facts(ctx); err != nil || facts.Daemon.PID == 0 {
			return nil
		}
		if err := world.Sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// greets says whether sshd sends its first line. No login is tried.
func greets(ctx context.Context, w *world.World) bool {
	for _, door := range w.Doors(ctx) {
		ctx, cancel := context.WithTimeout(ctx, world.ProbeTime)
		defer cancel()
		conn, err := w.Laptop.DialContext(ctx, "tcp", door.Addr)
		if err != nil {
			continue
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		first := make([]byte, 4)
		if err := conn.SetReadDeadline(deadline); err != nil {
			continue
		}
		if _, err := io.ReadFull(conn, first); err == nil {
			return true
		} else if errors.Is(err, io.EOF) {
			continue
		}
	}
	return false
}

// Revert implements world.Change: a started VM is not stopped again.
func (c *StartVM) Revert(context.Context, *world.World) ([]string, error) { return nil, nil }
