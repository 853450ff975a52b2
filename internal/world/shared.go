package world

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// vboxAtOnce bounds how many VBoxManage run side by side: they all wait for one
// VBoxSVC, and each is a process.
const vboxAtOnce = 8

// Shared is what the Worlds of many machines ask once for all of them. It is for
// looking only: what it knows is not forgotten.
type Shared struct {
	listed chan struct{} // closed when refs, byName and vms are there
	shown  chan struct{} // closed when those that run are
	done   chan struct{} // closed when all VMs are
	known  bool          // VirtualBox has listed its VMs: what is not among them does not exist
	refs   []vbox.VMRef
	byName map[string]string // a VM's name → UUID
	vms    map[string]*lookedUp
	turns  chan struct{} // one for each VBoxManage that runs
	hung   atomic.Int32  // questions in a row whose time has passed

	version   memo.Of[vboxVersion]
	vpn       memo.ByKey[string, routes.Client] // by the interface that owns the route
	owners    memo.Of[map[string]string]
	listeners memo.Of[[]routes.Listener]
}

type lookedUp struct {
	ready chan struct{}
	vm    vbox.VM
	err   error
}

// Share begins to ask VirtualBox for all VMs, side by side; limit bounds each
// question. What it does not answer, each World asks for itself.
func Share(ctx context.Context, w *World, limit time.Duration) *Shared {
	s := &Shared{listed: make(chan struct{}), shown: make(chan struct{}), done: make(chan struct{}), byName: map[string]string{}, vms: map[string]*lookedUp{},
		turns: make(chan struct{}, vboxAtOnce)}
	go func() {
		running, others := s.list(ctx, w, limit)
		s.show(ctx, w, limit, running)
		close(s.shown)
		s.show(ctx, w, limit, others)
		close(s.done)
	}()
	return s
}

// list asks which VMs there are. Those that run come first: there is more to ask
// about them.
func (s *Shared) list(ctx context.Context, w *World, limit time.Duration) (running, others []vbox.VMRef) {
	defer close(s.listed)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	all, err := w.ListVMs(ctx)
	s.heed(vboxAtOnce, err)
	if err != nil {
		return nil, nil
	}
	if out, err := w.VBoxManage(ctx, vbox.ListRunning()); err == nil {
		running, _ = vbox.ParseVMs(out.Stdout)
	}
	add := func(refs []vbox.VMRef) (added []vbox.VMRef) {
		for _, ref := range refs {
			if s.vms[ref.UUID] != nil {
				continue
			}
			added = append(added, ref)
			s.vms[ref.UUID] = &lookedUp{ready: make(chan struct{})}
			if s.byName[ref.Name] == "" {
				s.byName[ref.Name] = ref.UUID
			}
		}
		return added
	}
	running, others = add(running), add(all)
	s.refs, s.known = slices.Concat(running, others), true
	return running, others
}

// show asks for VMs, side by side.
func (s *Shared) show(ctx context.Context, w *World, limit time.Duration, refs []vbox.VMRef) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, ref := range refs {
		s.turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-s.turns }()
			l := s.vms[ref.UUID]
			defer close(l.ready)
			if l.err = s.silence(); l.err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			l.vm, l.err = w.LookUpRef(ctx, ref)
			s.heed(1, l.err)
		})
	}
}

// heed notes what came of a question. One VM that hangs says nothing of the others; a
// list that does not come, or as many VMs in a row as are asked at once, does.
func (s *Shared) heed(weight int32, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		s.hung.Add(weight)
	} else if s.hung.Load() < vboxAtOnce {
		s.hung.Store(0)
	}
}

var errMute = errors.New("VBoxManage does not come to an end: VirtualBox's service has hung")

// silence is why nothing more is asked; nil as long as VirtualBox answers.
func (s *Shared) silence() error {
	if s.hung.Load() >= vboxAtOnce {
		return errMute
	}
	return nil
}

// Done is closed when all VMs have been asked for.
func (s *Shared) Done() <-chan struct{} { return s.done }

// turn waits until one more VBoxManage may run. What is asked about one VM waits for
// what is asked about all that run: until that is known nobody can even begin to wait for
// a machine that is silent.
func (s *Shared) turn(ctx context.Context) (end func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.shown:
	}
	if err := s.silence(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	}
}

// vm waits for what VirtualBox says of a VM, by name or UUID; ok is false if it
// was not asked. It need not be asked for a VM that it has not listed.
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
	if l == nil && s.known {
		return vbox.VM{}, true, vbox.Unlisted(name)
	}
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
