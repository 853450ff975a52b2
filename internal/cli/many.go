package cli

import (
	"context"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

const (
	// busyAtOnce bounds how many machines are worked on side by side.
	busyAtOnce = 64
	// openAtOnce bounds them together with those that wait.
	openAtOnce = 256
	// lendAfter is how long a machine keeps others from their turn: one that takes
	// longer waits for a network that does not answer, and needs no processor for that.
	lendAfter = 150 * time.Millisecond
)

// sideBySide does something for each of n machines, and hands over each result in
// their order, as soon as those before it are done.
func sideBySide[T any](n int, do func(int) T, hand func(T) error) error {
	open, busy := make(chan struct{}, openAtOnce), make(chan struct{}, busyAtOnce)
	results := make([]chan T, n)
	for i := range results {
		results[i] = make(chan T, 1)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		for i := range n {
			select {
			case open <- struct{}{}:
			case <-stop:
				return
			}
			select {
			case busy <- struct{}{}:
			case <-stop:
				return
			}
			wg.Go(func() {
				lend := sync.OnceFunc(func() { <-busy })
				timer := time.AfterFunc(lendAfter, lend)
				results[i] <- do(i)
				timer.Stop()
				lend()
				<-open
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
func (a *app) looking(shared *world.Shared) (context.Context, context.CancelFunc) {
	if shared == nil {
		return context.WithTimeout(a.ctx, doctorTime)
	}
	ctx, cancel := context.WithCancelCause(a.ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-shared.Done():
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

// share asks once what many machines have in common; nil for a single one.
func (a *app) share(s site, names []string) *world.Shared {
	if len(names) < 2 {
		return nil
	}
	return world.Share(a.ctx, a.world(s, store.Machine{}), doctorTime)
}
