package virtualbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Prefetch starts asking about all VMs concurrently, for a command that looks at many machines.
// Each question takes at most limit. From then on the Manager answers from these results, so it
// must only be used if nothing changes. What could not be asked ahead is asked when it is needed.
// done is closed when all questions have been answered.
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
		p.ask(ctx, running)
		close(p.running)
		p.ask(ctx, others)
		close(p.all)
	}()
	return p.all
}

// list asks for all VMs. Running ones come first, since there is more to ask about them.
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

// add adds VMs and returns those that are new.
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

// ask asks about VMs, maxAtOnce at a time. Each answer is ready as soon as it arrives.
func (p *prefetch) ask(ctx context.Context, refs []vbox.VMRef) {
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

// count counts timeouts in a row: it adds timeouts if err is one. Any other result resets the
// count, unless VirtualBox has been given up.
func (p *prefetch) count(timeouts int32, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		p.timeouts.Add(timeouts)
	} else if p.timeouts.Load() < maxAtOnce {
		p.timeouts.Store(0)
	}
}
