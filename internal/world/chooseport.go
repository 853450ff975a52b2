package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// portRange is how many ports from the preferred one on are tried.
const portRange = 200

// spareRange is where a port is looked for when none of the preferred ones is usable.
const spareRange = 20000

func (w *World) preferredPort() int {
	if w.Port != 0 {
		return w.Port
	}
	return store.DefaultEnginePort
}

// PortError is a host port that a NAT rule cannot have. Next is one that it can; 0 if
// none was found.
type PortError struct {
	Text string
	Hint string
	Next int
}

func (e *PortError) Error() string { return e.Text }

// CheckPort is a *PortError if the user wants a port that the NAT rule to dockerd cannot
// have. It is for before anything is changed: what keeps VirtualBox from answering, the
// repair itself will report.
func (w *World) CheckPort(ctx context.Context) error {
	if w.Port == 0 || !w.Machine.VirtualBox() {
		return nil
	}
	if e, ok := w.Proven(ctx); ok && e.Port == w.Port {
		return nil
	}
	vm, _ := w.VM.Info(ctx) // without one, other VMs' rules and listeners can be in the way all the same
	for _, f := range w.DaemonRules(vm) {
		if f.HostPort != w.Port {
			continue
		}
		if vm.State.Live() {
			return nil // it is VirtualBox that listens
		}
		vm.Forwards = slices.DeleteFunc(slices.Clone(vm.Forwards), func(g vbox.Forward) bool { return g == f })
	}
	_, err := w.ChoosePort(ctx, vm, nil)
	var unusable *PortError
	if errors.As(err, &unusable) || ctx.Err() != nil {
		return err
	}
	return nil
}

// ChoosePort is the port for the NAT rule to dockerd: the one that the user wants and no
// other, or else the first usable one from store.DefaultEnginePort on. avoid are ports on which
// VirtualBox did not listen.
func (w *World) ChoosePort(ctx context.Context, vm vbox.VM, avoid map[int]bool) (int, error) {
	claims, err := w.portClaims(ctx, vm)
	if err != nil {
		return 0, err
	}
	obstacle := func(port int) (string, error) {
		switch {
		case claims[port] != "":
			return claims[port] + " uses it", nil
		case avoid[port]:
			return "VirtualBox added a NAT rule for it and did not listen", nil
		}
		return w.portObstacle(ctx, port)
	}
	if w.Port == 0 {
		port, err := firstUsable(store.DefaultEnginePort, obstacle)
		if port != 0 || err != nil {
			return port, err
		}
		return 0, w.portError(fmt.Sprintf("no port from %d to %d can be listened on at 127.0.0.1", store.DefaultEnginePort, store.DefaultEnginePort+portRange-1), spareRange, obstacle)
	}
	why, err := obstacle(w.Port)
	if why == "" || err != nil {
		return w.Port, err
	}
	return 0, w.portError(fmt.Sprintf("port %d cannot be used for the NAT rule to dockerd: %s", w.Port, why), max(w.Port, store.DefaultEnginePort), obstacle)
}

// portError is the error with that text, whose hint is a port from next on.
func (w *World) portError(text string, next int, obstacle func(int) (string, error)) error {
	e := &PortError{Text: text}
	var err error
	if e.Next, err = firstUsable(next, obstacle); err != nil {
		return err
	}
	if e.Next == 0 && next != spareRange {
		return w.portError(text, spareRange, obstacle)
	}
	if e.Next != 0 {
		e.Hint = w.Hint("fix", "--port", strconv.Itoa(e.Next))
	}
	return e
}

// firstUsable is the first port from one on that nothing is in the way of; 0 if there is none.
func firstUsable(from int, obstacle func(int) (string, error)) (int, error) {
	for port := from; port < from+portRange && port <= 65535; port++ {
		why, err := obstacle(port)
		if err != nil {
			return 0, fmt.Errorf("looking for a free port: %w", err)
		}
		if why == "" {
			return port, nil
		}
	}
	return 0, nil
}

// portObstacle is why VirtualBox could not listen on a port now; "" if it could.
func (w *World) portObstacle(ctx context.Context, port int) (string, error) {
	use, err := w.Laptop.PortUse(ctx, port)
	if err != nil || use == host.PortFree {
		return "", err
	}
	if use == host.PortPrivileged {
		return "this user may not listen on it", nil
	}
	if w.Port == port {
		all, _ := w.Network.Listeners(ctx, port) // other users' may be hidden
		for _, l := range all {
			if l.Command != "" {
				return fmt.Sprintf("%s (PID %d) listens on it", l.Command, l.PID), nil
			}
		}
	}
	return "another program listens on it", nil
}

// portClaims names, for each host port of a VM's TCP rule, that rule: a VM that is off
// will listen later. vm's own rule of our name is no claim, it is replaced.
func (w *World) portClaims(ctx context.Context, vm vbox.VM) (map[int]string, error) {
	claims := map[int]string{}
	for _, f := range vm.Forwards {
		if f.Name != RuleName && f.Proto == "tcp" {
			claims[f.HostPort] = fmt.Sprintf("NAT rule %q of this VM", f.Name)
		}
	}
	vms, err := w.VirtualBox.VMs(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range vms {
		if ref.UUID == vm.UUID {
			continue
		}
		other, err := w.VirtualBox.LookUpRef(ctx, ref)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // inaccessible, or removed meanwhile: it binds nothing
		}
		for _, f := range other.Forwards {
			if f.Proto == "tcp" {
				claims[f.HostPort] = fmt.Sprintf("NAT rule %q of VM %q", f.Name, other.Name)
			}
		}
	}
	return claims, nil
}
