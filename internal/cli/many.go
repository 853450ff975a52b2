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
	// busyPerProcessor bounds how many machines are worked on side by side: more
	// would keep each other, and the VMs of this laptop, from answering in time.
	busyPerProcessor = 8
	// openAtOnce bounds them together with those that wait.
	openAtOnce = 160
	// lendAfter is how long a machine keeps others from their turn: one that takes
	// longer waits for a network that does not answer, and needs no processor for that.
	lendAfter = 150 * time.Millisecond
)

// view is a docker host that is looked at, or why it cannot be.
type view struct {
	*target.Target
	name string // HOST as a user writes it
	err  error
}

// lookAtAll looks at docker hosts side by side, and hands over each result in their
// order, as soon as those before it are done. A machine's turn does not come before
// VirtualBox has answered about it: its time runs from then on.
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
	var allVMsAsked <-chan struct{} // nil for a single machine
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
						_, _ = v.VM.Running(ctx) // remembered
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

// looking bounds what is asked about one of many machines: as doctorTime does, but
// not before VirtualBox has answered for all of them.
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
