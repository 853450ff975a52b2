// Package machine is the first rung: the store's entry and the state of the VM.
package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// State is what was found.
type State struct {
	Name       string     `json:"name"`
	Driver     string     `json:"driver,omitempty"`
	ConfigErr  string     `json:"config_error,omitempty"`
	VirtualBox bool       `json:"virtualbox"`
	Missing    bool       `json:"missing"`
	VM         vbox.State `json:"vm_state,omitempty"`
	UUID       string     `json:"uuid,omitempty"`

	FixHint, ListHint string `json:"-"`
}

// Layer is the rung.
func Layer() stack.Layer {
	return stack.Layer{Name: "machine", Inspect: inspect}
}

func inspect(ctx context.Context, w *world.World) (stack.State, error) {
	s := State{
		Name: w.Machine.Name, Driver: w.Machine.Driver, VirtualBox: w.VirtualBox(),
		FixHint: w.Hint("fix"), ListHint: "docker-machine ls",
	}
	if w.LoadErr != nil {
		s.ConfigErr = w.LoadErr.Error()
		return s, nil
	}
	if !s.VirtualBox {
		return s, nil
	}
	vm, err := w.VM(ctx)
	var vberr *vbox.Error
	switch {
	case errors.As(err, &vberr) && vberr.Kind == vbox.NotFound:
		s.Missing = true
		return s, nil
	case err != nil:
		return nil, err
	}
	s.VM, s.UUID = vm.State, vm.UUID
	return s, nil
}

// Findings implements stack.State.
func (s State) Findings() []stack.Finding {
	switch {
	case s.ConfigErr != "":
		return []stack.Finding{{Code: "machine.config-unreadable", Status: stack.Fail, Title: s.ConfigErr,
			Hint: "docker-vpn-helper explain machine.config-unreadable"}}
	case s.Driver == "none" || s.Driver == "":
		return []stack.Finding{{Code: "machine.driver-unsupported", Status: stack.Warn,
			Title: fmt.Sprintf("driver %q has no VM and no SSH: only what answers at its address can be looked at", s.Driver)}}
	case !s.VirtualBox:
		return []stack.Finding{{Code: "machine.ok", Status: stack.OK,
			Title: fmt.Sprintf("driver %s: its state is not asked, a NAT rule does not apply", s.Driver)}}
	case s.Missing:
		return []stack.Finding{{Code: "machine.missing", Status: stack.Fail,
			Title: fmt.Sprintf("machine %q is in the store, and VirtualBox does not know a VM of that name", s.Name),
			Hint:  "VBoxManage list vms"}}
	case vbox.Running == s.VM:
		return []stack.Finding{{Code: "machine.ok", Status: stack.OK, Title: "VM running"}}
	}
	f := stack.Finding{Code: "machine.not-running", Status: stack.Fail, Title: fmt.Sprintf("VM is %s", s.VM), Hint: s.FixHint}
	if len(s.Changes()) == 0 {
		f.Hint = "VBoxManage showvminfo " + s.UUID
	}
	return []stack.Finding{f}
}

// Changes implements stack.State.
func (s State) Changes() []world.Change {
	if !s.VirtualBox || s.Missing || s.ConfigErr != "" || s.VM == vbox.Running || !changes.Startable(s.VM) {
		return nil
	}
	return []world.Change{&changes.StartVM{Machine: s.Name, From: s.VM}}
}
