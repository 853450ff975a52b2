package vmchange

import (
	"context"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

const (
	bootTime    = 3 * time.Minute // ample for boot2docker on an old disk
	dockerdTime = time.Minute
	// listenTime is how long VirtualBox may take to listen on the ports of its NAT rules.
	listenTime = 10 * time.Second
)

// StartVM starts or resumes the VM and waits until sshd or dockerd answers.
type StartVM struct {
	Machine string
	From    vbox.State
}

func (c *StartVM) About() engine.About {
	a := engine.About{
		Kind:      "start-vm",
		Doing:     "starting the VM",
		Permanent: "the VM is running now; neither a rollback nor undo stops it again",
	}
	if c.From == vbox.Paused {
		a.Doing = "resuming the VM"
	}
	return a
}

func (c *StartVM) String() string {
	if c.From == vbox.Paused {
		return fmt.Sprintf("resume VM %s (paused)", c.Machine)
	}
	return fmt.Sprintf("start VM %s (%s)", c.Machine, c.From)
}

func (c *StartVM) Backup(context.Context, *target.Target) error { return nil }

func (c *StartVM) Apply(ctx context.Context, t *target.Target) error {
	var err error
	switch c.From {
	case vbox.Paused:
		_, err = t.VirtualBox.Run(ctx, vbox.ControlVM(t.Machine.VMName, "resume"))
	case vbox.Starting, vbox.Restoring:
	default:
		_, err = t.VirtualBox.Run(ctx, vbox.StartVM(t.Machine.VMName))
	}
	if err != nil {
		return fmt.Errorf("starting VM %s: %w", c.Machine, err)
	}
	if ssh, err := c.await(ctx, t); err != nil || !ssh {
		return err
	}
	// dockerd starts after sshd. If it does not start, layer daemon reports that.
	for deadline := t.Now().Add(dockerdTime); t.Now().Before(deadline); {
		t.Forget()
		if t.Endpoints.Ask(ctx, t.Endpoints.Inside()).Leaf != nil {
			return nil
		}
		if facts, err := t.Guest.Facts(ctx); err != nil || facts.Daemon.PID == 0 {
			return nil
		}
		if err := host.Sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// await waits until sshd answers, or dockerd, because SSH may be blocked. ssh reports whether sshd
// did. After bootTime it continues without either, and the layers after this one report what is
// missing. VirtualBox listens for sshd as soon as the VM starts; if it does not, await only waits
// for listenTime.
func (c *StartVM) await(ctx context.Context, t *target.Target) (ssh bool, err error) {
	began := t.Now()
	listened := began // when a connection to sshd was last accepted
	for {
		t.Forget()
		vm, err := t.VM.Info(ctx)
		runs, refused := err == nil && vm.State == vbox.Running, false
		if runs {
			greets, listens := t.SSH.Greets(ctx)
			if greets || answers(ctx, t) {
				return greets, nil
			}
			refused = !listens
		}
		now := t.Now()
		if !refused {
			listened = now
		}
		switch {
		case now.Sub(listened) > listenTime, runs && now.Sub(began) > bootTime:
			t.Notify("[%s] the VM runs, and sshd has not answered for %s: going on without", c.Machine, now.Sub(began).Round(time.Second))
			return false, nil
		case now.Sub(began) > bootTime:
			return false, fmt.Errorf("VM %s was started and does not run after %s", c.Machine, bootTime)
		}
		if err := host.Sleep(ctx, 500*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// answers reports whether dockerd answers at an endpoint that exists already.
func answers(ctx context.Context, t *target.Target) bool {
	ctx, cancel := context.WithTimeout(ctx, endpoint.ProbeTime)
	defer cancel()
	e := t.Endpoints.ForDocker(ctx)
	return !e.Planned && t.Endpoints.Ask(ctx, e).Verified()
}

// Revert does nothing: the VM keeps running.
func (c *StartVM) Revert(context.Context, *target.Target) ([]string, error) { return nil, nil }
