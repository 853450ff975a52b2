package cli

import (
	"context"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// followKinds returns the forms of HOST whose ports can be followed: those with SSH. The ports of this
// computer's own dockerd are already on localhost.
func followKinds() []target.Kind { return []target.Kind{target.Machine, target.SSH, target.Context} }

// named returns the docker host's name for messages.
func named(t *target.Target) string {
	if t.Kind == target.Machine {
		return fmt.Sprintf("machine %q", t.Machine.Name)
	}
	return t.Name()
}

// noSSH is the error for a docker host whose ports cannot be followed.
func (a *app) noSSH(t *target.Target) error {
	return &exitError{code: exitUsage, message: named(t) + " has no SSH, which ports follow needs", hint: t.Hint(hint.Own("ports", hint.Machine))}
}

// loginOf returns a function that makes a new SSH connection each time; nil without SSH.
func loginOf(t *target.Target) func(context.Context) (follow.Remote, error) {
	switch {
	case t.Kind == target.SSH:
		return func(ctx context.Context) (follow.Remote, error) {
			t.UserSSH.Close()
			c, err := t.UserSSH.Client(ctx)
			if err != nil {
				return nil, err
			}
			return c, nil
		}
	case t.Kind != target.Machine || !t.SSH.Exists():
		return nil
	}
	first := true
	return func(ctx context.Context) (follow.Remote, error) {
		if !first {
			t.SSH.Drop()
			t.VM.Forget()
		}
		first = false
		c, err := t.SSH.Client(ctx)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// syncUDPOf returns a function that sets the VM's NAT rules for UDP; nil without VirtualBox.
func syncUDPOf(t *target.Target) func(context.Context, []int) map[int]error {
	if t.Kind != target.Machine || !t.Machine.VirtualBox() {
		return nil
	}
	return func(ctx context.Context, ports []int) map[int]error {
		failed, err := vmchange.SyncUDP(ctx, t, ports)
		if err != nil {
			failed = map[int]error{}
			for _, port := range ports {
				failed[port] = err
			}
		}
		return failed
	}
}

// sweepPorts removes what a killed ports follow has left.
func (a *app) sweepPorts(t *target.Target) error {
	if !follow.Leftover(a.ctx, t.Laptop, t.State()) {
		return nil
	}
	if syncUDPOf(t) != nil {
		if _, err := vmchange.SyncUDP(a.ctx, t, nil); err != nil {
			return fmt.Errorf("removing the NAT rules that a killed run has left: %w", err)
		}
	}
	if err := follow.ForgetLeftover(a.ctx, t.Laptop, t.State()); err != nil {
		return err
	}
	a.ui.Say("[%s] removed what a killed ports follow had left", t.Name())
	return nil
}
