package virtualbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// maxAtOnce bounds how many VBoxManage run side by side: they all wait for one
// VBoxSVC, and each is a process.
const maxAtOnce = 8

// Prefetch begins to ask about all VMs, side by side, for a command that looks at many
// machines; limit bounds each question. From then on the Manager's answers about VMs are
// those, so that it is for commands that change nothing. What could not be asked ahead
// is asked when it is needed. done is closed when all VMs have been asked for.
func (v *Manager) Prefetch(ctx context.Context, limit time.Duration) (done <-chan struct{}) {
	p := &prefetch{
		direct: New(v.laptop, v.repairing), limit: limit,
		listed: make(chan struct{}), running: make(chan struct{}), all: make(chan struct{}),
		uuids: map[string]string{}, vms: map[string]*answer{}, slots: make(chan struct{}, maxAtOnce),
	}
	v.prefetched = p
	go func() {
		running, others := p.list(ctx)
		close(p.listed)
		p.lookUp(ctx, running)
		close(p.running)
		p.lookUp(ctx, others)
		close(p.all)
	}()
	return p.all
}

// prefetch is what VirtualBox answers about all VMs.
type prefetch struct {
	direct *Manager // asks without waiting for a slot
	limit  time.Duration

	listed  chan struct{} // closed when the four below are there
	ok      bool          // VirtualBox has listed its VMs: what is not among them does not exist
	inOrder []vbox.VMRef
	uuids   map[string]string // by name
	vms     map[string]*answer

	running chan struct{} // closed when all VMs that run have been asked for
	all     chan struct{} // closed when all others have been, too

	slots    chan struct{} // full while maxAtOnce VBoxManage run
	timeouts atomic.Int32  // questions in a row that timed out
}

// answer is there when ready is closed.
type answer struct {
	ready chan struct{}
	vm    vbox.VM
	err   error
}

// refs waits for the list of VMs; ok is false if VirtualBox did not give one.
func (p *prefetch) refs(ctx context.Context) (refs []vbox.VMRef, ok bool, err error) {
	select {
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	case <-p.listed:
		return p.inOrder, p.ok, nil
	}
}

// vm waits for the answer about a VM, by name or UUID; ok is false if it has to be
// asked for. A VM that VirtualBox has not listed does not.
func (p *prefetch) vm(ctx context.Context, name string) (vm vbox.VM, ok bool, err error) {
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-p.listed:
	}
	if uuid := p.uuids[name]; uuid != "" {
		name = uuid
	}
	a := p.vms[name]
	switch {
	case a == nil && p.ok:
		return vbox.VM{}, true, vbox.Unlisted(name)
	case a == nil:
		return vbox.VM{}, false, nil
	}
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-a.ready:
		return a.vm, true, a.err
	}
}

// slot waits until one more VBoxManage may run. Other questions come after those about
// all VMs that run: until their answers are there, no probe of their machines can begin.
func (p *prefetch) slot(ctx context.Context) (release func(), err error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.running:
	}
	if err := p.unresponsive(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	}
}

// list asks which VMs there are. Those that run come first: there is more to ask
// about them.
func (p *prefetch) list(ctx context.Context) (running, others []vbox.VMRef) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	all, err := p.direct.VMs(ctx)
	p.count(maxAtOnce, err)
	if err != nil {
		return nil, nil
	}
	running, _ = p.direct.RunningVMs(ctx)
	running, others = p.add(running), p.add(all)
	p.inOrder, p.ok = slices.Concat(running, others), true
	return running, others
}

// add returns those of refs that are new.
func (p *prefetch) add(refs []vbox.VMRef) (added []vbox.VMRef) {
	for _, ref := range refs {
		if p.vms[ref.UUID] != nil {
			continue
		}
		added = append(added, ref)
		p.vms[ref.UUID] = &answer{ready: make(chan struct{})}
		if p.uuids[ref.Name] == "" {
			p.uuids[ref.Name] = ref.UUID
		}
	}
	return added
}

// lookUp asks about VMs, side by side.
func (p *prefetch) lookUp(ctx context.Context, refs []vbox.VMRef) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, ref := range refs {
		p.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-p.slots }()
			a := p.vms[ref.UUID]
			defer close(a.ready)
			if a.err = p.unresponsive(); a.err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, p.limit)
			defer cancel()
			a.vm, a.err = p.direct.LookUpRef(ctx, ref)
			p.count(1, a.err)
		})
	}
}

var errUnresponsive = errors.New("VBoxManage does not come to an end: VirtualBox's service has hung")

// unresponsive is the error once VirtualBox is given up: the list of VMs has timed
// out, or as many questions in a row as run side by side. One VM that hangs is no sign
// that the others do.
func (p *prefetch) unresponsive() error {
	if p.timeouts.Load() >= maxAtOnce {
		return errUnresponsive
	}
	return nil
}

// count counts a question that timed out as so many; an answer begins a new count,
// unless VirtualBox is given up.
func (p *prefetch) count(timeouts int32, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		p.timeouts.Add(timeouts)
	} else if p.timeouts.Load() < maxAtOnce {
		p.timeouts.Store(0)
	}
}
