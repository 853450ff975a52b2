package world

import (
	"context"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// vmsAtOnce bounds how many VBoxManage run side by side: they all wait for one
// VBoxSVC, and each is a process.
const vmsAtOnce = 8

// Shared is what the Worlds of many machines ask once for all of them. It is for
// looking only: what it knows is not forgotten.
type Shared struct {
	byName map[string]string // a VM's name → UUID
	vms    map[string]lookedUp
	refs   []vbox.VMRef

	vpn    byKey[routes.Client] // by the interface that owns the route
	owners memo[map[string]string]
}

type lookedUp struct {
	vm  vbox.VM
	err error
}

// Share asks VirtualBox for all VMs, side by side; limit bounds each question.
// What it does not answer, each World asks for itself.
func Share(ctx context.Context, w *World, limit time.Duration) *Shared {
	s := &Shared{byName: map[string]string{}, vms: map[string]lookedUp{}}
	refs, err := w.ListVMs(ctx)
	if err != nil {
		return s
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, vmsAtOnce)
	for _, ref := range refs {
		if _, twice := s.byName[ref.Name]; !twice {
			s.byName[ref.Name] = ref.UUID
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			vm, err := w.showVM(ctx, ref.UUID)
			mu.Lock()
			defer mu.Unlock()
			s.vms[ref.UUID] = lookedUp{vm, err}
		})
	}
	wg.Wait()
	s.refs = refs
	return s
}

// vm is what is known of a VM, by name or UUID; ok is false if nothing is.
func (s *Shared) vm(name string) (found lookedUp, ok bool) {
	if s == nil {
		return lookedUp{}, false
	}
	if uuid, known := s.byName[name]; known {
		name = uuid
	}
	found, ok = s.vms[name]
	return found, ok
}
