package vmchange

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// ChangePorts adds and removes NAT rules for published ports: either all of them, or none.
type ChangePorts struct {
	VM, UUID    string
	Slot        int // the NIC that is attached to NAT
	Add, Remove []vbox.Forward
}

func (c *ChangePorts) About() engine.About {
	return engine.About{Kind: "change-port-rules", Doing: c.text("adding", "removing")}
}

func (c *ChangePorts) String() string { return c.text("add", "remove") }

// text describes the change, with the given verbs.
func (c *ChangePorts) text(add, remove string) string {
	var parts []string
	for _, list := range []struct {
		verb  string
		rules []vbox.Forward
	}{{remove, c.Remove}, {add, c.Add}} {
		var rules []string
		for _, f := range list.rules {
			rules = append(rules, fmt.Sprintf("%s (%s/%s -> VM port %d)", f.Name, net.JoinHostPort(f.HostIP, strconv.Itoa(f.HostPort)), f.Proto, f.GuestPort))
		}
		switch len(rules) {
		case 0:
		case 1:
			parts = append(parts, list.verb+" NAT rule "+rules[0])
		default:
			parts = append(parts, list.verb+" NAT rules "+strings.Join(rules, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// Backup does nothing: the change has all rules.
func (c *ChangePorts) Backup(context.Context, *target.Target) error { return nil }

// Apply checks again that the ports are free, under the lock for all stores. Afterwards it verifies
// that VirtualBox listens on them: VirtualBox accepts rules whose ports it cannot bind.
func (c *ChangePorts) Apply(ctx context.Context, t *target.Target) error {
	vm, ports, unlock, err := freePorts(ctx, t)
	if err != nil {
		return err
	}
	defer unlock()
	for _, f := range c.Add {
		if err := ports.Check(ctx, f.Proto, f.HostPort); err != nil {
			return err
		}
	}
	if err := t.VirtualBox.ChangeRules(ctx, &vm, c.Slot, names(c.Remove), c.Add); err != nil {
		return err
	}
	if !vm.State.Live() {
		return nil
	}
	for _, f := range c.Add {
		if err := awaitListener(ctx, t, f); err != nil {
			return err
		}
	}
	return nil
}

// awaitListener waits until VirtualBox listens for a TCP rule, for at most bindTime.
func awaitListener(ctx context.Context, t *target.Target, f vbox.Forward) error {
	if f.Proto != "tcp" {
		return nil
	}
	ip := f.HostIP
	if ip == "0.0.0.0" {
		ip = "127.0.0.1"
	}
	addr := net.JoinHostPort(ip, strconv.Itoa(f.HostPort))
	ctx, cancel := context.WithTimeout(ctx, bindTime)
	defer cancel()
	for {
		conn, err := t.Laptop.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if host.Sleep(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("VirtualBox took NAT rule %s and does not listen on %s: %w", f.Name, addr, err)
		}
	}
}

func names(rules []vbox.Forward) (all []string) {
	for _, f := range rules {
		all = append(all, f.Name)
	}
	return all
}

// Revert reverts the change, but leaves rules that have been edited since.
func (c *ChangePorts) Revert(ctx context.Context, t *target.Target) (left []string, err error) {
	vm, exists, err := lookUp(ctx, t, vbox.VMRef{Name: c.VM, UUID: c.UUID})
	if err != nil || !exists {
		return nil, err
	}
	there := map[string]vbox.Forward{}
	for _, f := range vm.Forwards {
		there[f.Name] = f
	}
	var remove []string
	for _, f := range c.Add {
		now, ok := there[f.Name]
		switch {
		case ok && now == f:
			remove = append(remove, f.Name)
		case ok:
			left = append(left, fmt.Sprintf("NAT rule %s of %s was edited since and stays: %s", f.Name, c.VM, now.Rule()))
		}
	}
	var add []vbox.Forward
	for _, f := range c.Remove {
		if _, ok := there[f.Name]; !ok {
			add = append(add, f)
		}
	}
	return left, t.VirtualBox.ChangeRules(ctx, &vm, c.Slot, remove, add)
}

// CheckUndo returns an error if VirtualBox cannot list the VM's rules.
func (c *ChangePorts) CheckUndo(ctx context.Context, t *target.Target) error {
	_, _, err := lookUp(ctx, t, vbox.VMRef{Name: c.VM, UUID: c.UUID})
	return err
}
