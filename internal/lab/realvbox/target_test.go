//go:build realvbox

package realvbox

import (
	"os"
	"path/filepath"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// world is the machine default as a repair has it.
type world struct {
	*target.Target
	box *box
}

func (b *box) target() world {
	b.Helper()
	l := host.NewLocal(host.Sudo{})
	s, err := store.Open(l, filepath.Dir(machines))
	b.must(err)
	m, err := s.Load(b.Context(), "default")
	b.must(err)
	w := &target.Target{
		Laptop: l, Store: s, Network: laptop.New(l), VirtualBox: virtualbox.New(l, func() bool { return true }),
		Getenv: os.Getenv, Now: time.Now, StateDir: target.StateDir(os.Getenv, home), Mode: mode.Repair(), Notify: b.Logf,
	}
	w.SetMachine(m)
	return world{w, b}
}

// addRule is the change that the layer forward plans for the VM.
func (w world) addRule() *vmchange.AddRule {
	w.box.Helper()
	vm, err := w.VM.Info(w.box.Context())
	w.box.must(err)
	slot, ok := vm.NATSlot()
	if !ok {
		w.box.Fatal("no NIC is attached to NAT")
	}
	return &vmchange.AddRule{VM: vm.Name, UUID: vm.UUID, Slot: slot, Port: store.DefaultDaemonPort}
}

// fixed adds the rule as a run of fix does that found the VM running: with a journal.
func (w world) fixed() {
	w.box.Helper()
	ctx := w.box.Context()
	j := journal.New(w.Laptop, journal.Dir(w.State()), journal.Header{Command: "fix", Machine: "default", Store: w.Machine.StoreDir, Started: time.Now()})
	rule := w.addRule()
	seq, err := j.Plan(ctx, rule)
	w.box.must(err)
	w.box.must(rule.Apply(ctx, w.Target))
	w.box.must(j.Update(ctx, seq, journal.Applied))
	w.box.must(j.Close(ctx, journal.Done))
}
