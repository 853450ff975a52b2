package world

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// vmsAtOnce bounds how many VBoxManage run side by side: they all wait for one
// VBoxSVC, and each is a process.
const vmsAtOnce = 8

// Shared is what the Worlds of many machines ask once for all of them. It is for
// looking only: what it knows is not forgotten.
type Shared struct {
	listed chan struct{} // closed when refs, byName and vms are there
	done   chan struct{} // closed when all VMs are
	refs   []vbox.VMRef
	byName map[string]string // a VM's name → UUID
	vms    map[string]*lookedUp

	vpn       byKey[routes.Client] // by the interface that owns the route
	owners    memo[map[string]string]
	listeners memo[[]routes.Listener]
	client    memo[dockercli.API]
}

type lookedUp struct {
	ready chan struct{}
	vm    vbox.VM
	err   error
}

// Share begins to ask VirtualBox for all VMs, side by side; limit bounds each
// question. What it does not answer, each World asks for itself.
func Share(ctx context.Context, w *World, limit time.Duration) *Shared {
	s := &Shared{listed: make(chan struct{}), done: make(chan struct{}), byName: map[string]string{}, vms: map[string]*lookedUp{}}
	go func() {
		defer close(s.done)
		s.list(ctx, w, limit)
		var wg sync.WaitGroup
		slots := make(chan struct{}, vmsAtOnce)
		for _, ref := range s.refs {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				l := s.vms[ref.UUID]
				l.vm, l.err = w.showVM(ctx, ref.UUID)
				close(l.ready)
			})
		}
		wg.Wait()
	}()
	return s
}

func (s *Shared) list(ctx context.Context, w *World, limit time.Duration) {
	defer close(s.listed)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	refs, err := w.ListVMs(ctx)
	if err != nil {
		return
	}
	// Those that run come first: there is more to ask about them.
	var running []vbox.VMRef
	if out, err := w.VBoxManage(ctx, vbox.ListRunning()); err == nil {
		running, _ = vbox.ParseVMs(out.Stdout)
	}
	for _, ref := range slices.Concat(running, refs) {
		if s.vms[ref.UUID] != nil {
			continue
		}
		s.refs = append(s.refs, ref)
		s.vms[ref.UUID] = &lookedUp{ready: make(chan struct{})}
		if s.byName[ref.Name] == "" {
			s.byName[ref.Name] = ref.UUID
		}
	}
}

// Done is closed when all VMs have been asked for.
func (s *Shared) Done() <-chan struct{} { return s.done }

// vm waits for what VirtualBox says of a VM, by name or UUID; ok is false if it
// was not asked.
func (s *Shared) vm(ctx context.Context, name string) (vm vbox.VM, ok bool, err error) {
	if s == nil {
		return vbox.VM{}, false, nil
	}
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-s.listed:
	}
	if uuid := s.byName[name]; uuid != "" {
		name = uuid
	}
	l := s.vms[name]
	if l == nil {
		return vbox.VM{}, false, nil
	}
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-l.ready:
		return l.vm, true, l.err
	}
}
