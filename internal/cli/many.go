package cli

import (
	"context"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

const (
	// busyPerProcessor is how many machines are inspected at the same time, for each processor. With
	// more, they and the VMs on this laptop would slow each other down, and time out.
	busyPerProcessor = 8
	// openAtOnce is the limit for all machines in progress, including those that have given up their
	// slot.
	openAtOnce = 160
	// lendAfter is how long a machine keeps its slot. If it takes longer, it waits for a network
	// that does not answer, which needs no processor, so another machine may use the slot.
	lendAfter = 150 * time.Millisecond
)

// view is a docker host to inspect, or the error of opening it.
type view struct {
	*target.Target
	name string // HOST as the user writes it
	err  error
}

// lookAtAll calls look for docker hosts side by side, and hand for each result in the order of
// refs, as soon as those before it are done. If there are several machines, the time for each
// starts when VirtualBox has answered about all of them.
func lookAtAll[T any](a *app, s site, refs []target.Ref, look func(context.Context, view) T, hand func(T) error) error {
	atOnce := busyPerProcessor * host.Processors()
	loading, busy, open := make(chan struct{}, atOnce), make(chan struct{}, atOnce), make(chan struct{}, openAtOnce)
	results := make([]chan T, len(refs))
	for i := range results {
		results[i] = make(chan T, 1)
	}
	ctx, stop := context.WithCancel(a.ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	var allVMsAsked <-chan struct{} // closed when VirtualBox has answered; nil for a single machine
	if len(refs) > 1 {
		s.network = laptop.ForManyMachines(s.laptop)
		s.virtualBox = virtualbox.New(s.laptop, func() bool { return false })
		allVMsAsked = s.virtualBox.Prefetch(ctx, doctorTime)
	}
	one := func(v view) T {
		ctx, cancel := looking(ctx, allVMsAsked)
		defer cancel()
		return look(ctx, v)
	}
	wg.Go(func() {
		for i, ref := range refs {
			loading <- struct{}{}
			wg.Go(func() {
				v := view{name: ref.Arg()}
				v.Target, v.err = a.openHost(s, ref)
				<-loading
				if v.err == nil {
					defer v.Close()
					if allVMsAsked != nil && v.LoadErr == nil {
						ctx, cancel := looking(ctx, allVMsAsked)
						_, _ = v.VM.Running(ctx) // for its side effect: the answer is cached
						cancel()
					}
				}
				open <- struct{}{}
				defer func() { <-open }()
				busy <- struct{}{}
				lend := sync.OnceFunc(func() { <-busy })
				defer lend()
				defer time.AfterFunc(lendAfter, lend).Stop()
				results[i] <- one(v)
			})
		}
	})
	for _, r := range results {
		if err := hand(<-r); err != nil {
			return err
		}
	}
	return nil
}

// looking returns a context that ends after doctorTime. If allVMsAsked is not nil, that time starts
// when it is closed: when VirtualBox has answered about all machines.
func looking(ctx context.Context, allVMsAsked <-chan struct{}) (context.Context, context.CancelFunc) {
	if allVMsAsked == nil {
		return context.WithTimeout(ctx, doctorTime)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-allVMsAsked:
		}
		t := time.NewTimer(doctorTime)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
			cancel(context.DeadlineExceeded)
		}
	}()
	return ctx, func() { cancel(nil) }
}
