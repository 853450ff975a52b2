// Package vmchange has the changes to VirtualBox and to the laptop's way to a VM: its power state,
// its NAT rules, the host-only adapter and its route, the kernel modules.
package vmchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

const (
	// bindTime is how long VirtualBox may take to listen for a new rule.
	bindTime = 2 * time.Second
	// bindTries is how many ports are tried if VirtualBox cannot bind them.
	bindTries = 5
)

// AddRule adds the VM's NAT rule to dockerd, which is named docker-vpn-helper.
type AddRule struct {
	VM, UUID string
	Slot     int // the NIC that is attached to NAT
	Port     int // on 127.0.0.1; if it is taken by the time the rule is added, the next free one
	// Demanded means that --port asked for this port and no other will do. Its name in journals is
	// Exact.
	Demanded  bool `json:"Exact,omitempty"`
	GuestPort int  `json:"Guest,omitempty"` // dockerd's port in the VM; 0 for docker-machine's default
	// Old is a rule with the same name that this one replaces, because names are unique in
	// VirtualBox; nil if there is none.
	Old *vbox.Forward `json:",omitempty"`
	// Settled means that the rule was added with Port, and that VirtualBox listens there.
	Settled bool `json:",omitempty"`
}

func (c *AddRule) rule() vbox.Forward {
	return vbox.Forward{Slot: c.Slot, Name: virtualbox.RuleName, Proto: "tcp", HostIP: host.Loopback, HostPort: c.Port, GuestPort: cmp.Or(c.GuestPort, store.DefaultDaemonPort)}
}

func (c *AddRule) vm() vbox.VMRef { return vbox.VMRef{Name: c.VM, UUID: c.UUID} }

func (c *AddRule) About() engine.About {
	return engine.About{Kind: "add-nat-rule", Doing: fmt.Sprintf("adding NAT rule 127.0.0.1:%d -> VM port %d", c.Port, c.rule().GuestPort)}
}

func (c *AddRule) String() string {
	verb := "add"
	if c.Old != nil {
		verb = "replace"
	}
	return fmt.Sprintf("%s NAT rule %s (127.0.0.1:%d -> VM port %d)", verb, virtualbox.RuleName, c.Port, c.rule().GuestPort)
}

// Backup does nothing: the plan already contains Old.
func (c *AddRule) Backup(context.Context, *target.Target) error { return nil }

// Apply adds the rule with the planned port, or with the next one that is free. One lock covers
// both the search and the rule. Then it verifies that VirtualBox listens, because VirtualBox
// accepts rules whose ports it cannot bind.
func (c *AddRule) Apply(ctx context.Context, t *target.Target) error {
	vm, ports, unlock, err := freePorts(ctx, t)
	if err != nil {
		return err
	}
	defer unlock()
	for try := range bindTries {
		port, err := ports.Choose(ctx, c.Port, c.Demanded)
		if err != nil {
			var unusable *virtualbox.PortError
			if errors.As(err, &unusable) && unusable.Next != 0 {
				unusable.Hint = t.Hint(hint.Fix("--port", strconv.Itoa(unusable.Next)))
			}
			return err
		}
		c.Port = port
		if c.Old != nil && try == 0 {
			if err := t.VirtualBox.DeleteRule(ctx, &vm, c.Old.Slot, c.Old.Name); err != nil {
				return err
			}
		}
		if err := t.VirtualBox.AddRule(ctx, &vm, c.Slot, c.rule()); err != nil {
			return err
		}
		if c.Settled, err = c.listens(ctx, t, vm); err != nil || c.Settled {
			return err
		}
		ports.DidNotBind(c.Port)
		if err := t.VirtualBox.DeleteRule(ctx, &vm, c.Slot, virtualbox.RuleName); err != nil {
			return fmt.Errorf("VirtualBox did not listen on port %d: %w", c.Port, err)
		}
	}
	return fmt.Errorf("VirtualBox took NAT rule %s and did not listen, on %d ports in a row", virtualbox.RuleName, bindTries)
}

// listens reports whether VirtualBox listens for the new rule; of a VM that is off it reports true.
// The port was free a moment ago, under the lock. So if something listens now that is not
// identified as another machine, it is VirtualBox.
func (c *AddRule) listens(ctx context.Context, t *target.Target, vm vbox.VM) (bool, error) {
	if !vm.State.Live() {
		return true, nil
	}
	e := endpoint.Forwarded(c.Port)
	for deadline := t.Now().Add(bindTime); ; {
		t.Forget()
		a := t.Endpoints.Ask(ctx, e)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if a.DialErr == nil {
			return a.Identity != endpoint.Other, nil
		}
		if t.Now().After(deadline) {
			return false, nil
		}
		if err := host.Sleep(ctx, 20*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// Revert removes the rule, unless it has been edited since, and adds the old one again.
func (c *AddRule) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	vm, exists, err := lookUp(ctx, t, c.vm())
	if err != nil || !exists {
		return nil, err
	}
	for _, f := range vm.Forwards {
		if f.Name != virtualbox.RuleName {
			continue
		}
		if c.Old != nil && f == *c.Old {
			return nil, nil
		}
		if want := c.rule(); f.Proto != want.Proto || f.HostIP != want.HostIP || f.GuestPort != want.GuestPort || c.Settled && f.HostPort != want.HostPort {
			return []string{fmt.Sprintf("NAT rule %s of %s was edited since and stays: %s", f.Name, c.VM, f.Rule())}, nil
		}
		if err := t.VirtualBox.DeleteRule(ctx, &vm, f.Slot, f.Name); err != nil {
			return nil, err
		}
	}
	if c.Old == nil {
		return nil, nil
	}
	return nil, t.VirtualBox.AddRule(ctx, &vm, c.Old.Slot, *c.Old)
}

// CheckUndo returns an error if VirtualBox cannot list the VM's rules.
func (c *AddRule) CheckUndo(ctx context.Context, t *target.Target) error {
	_, _, err := lookUp(ctx, t, c.vm())
	return err
}
