package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const (
	// settleTime is how long after the last event the containers are listed a second time: right
	// after a "die" event dockerd may still list the port.
	settleTime = 150 * time.Millisecond
	listTime   = 20 * time.Second // timeout of listing the containers
	pingTime   = 2 * time.Second  // timeout of a ping
	// A port that is taken is tried again after retryTime, then after twice that, up to maxRetryTime.
	retryTime    = 2 * time.Second
	maxRetryTime = 30 * time.Second
)

var errAgain = errors.New("subscribing again")

// watch subscribes to dockerd's events until ctx ends: again whenever the subscription ends, or again
// asks for it.
func (f *Follower) watch(ctx context.Context, again <-chan struct{}) {
	var wait backoff
	notified := false
	for ctx.Err() == nil {
		session, cancel := context.WithCancel(ctx)
		subscribed := false
		err := f.subscribe(session, cancel, again, func() {
			subscribed = true
			poke(f.tunnel.wake) // the docker host can be reached again
		})
		cancel()
		if subscribed {
			wait.reset()
			notified = false
		}
		if ctx.Err() != nil {
			return
		}
		if !subscribed && !notified {
			f.Notify("[%s] waiting for dockerd: %v", f.Name, err)
			notified = true
		}
		if !errors.Is(err, errAgain) {
			_ = host.Sleep(ctx, wait.next())
		}
	}
}

// subscribe lists the containers after each event, and reconciles, until the events end. Events are read in a
// goroutine of their own, so that listing does not delay them. It calls began when the subscription works.
func (f *Follower) subscribe(ctx context.Context, cancel context.CancelFunc, again <-chan struct{}, began func()) error {
	docker := dockerd.New(f.dialDocker).Kept()
	defer docker.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- docker.Events(ctx, func() { began(); poke(f.changed) }, func() { poke(f.changed) })
	}()
	defer func() { cancel(); <-ended }()
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err
			return err
		case <-again:
			// The connection may be half open, so that events may have been missed.
			return errAgain
		case <-f.changed:
			settled.Reset(settleTime)
		case <-settled.C:
		case <-retry.C:
			if next := f.retryTaken(ctx); next > 0 {
				retry.Reset(next)
			}
			continue
		}
		list, err := f.list(ctx, docker)
		if err != nil {
			return err
		}
		f.reconcile(ctx, list)
		retry.Reset(0) // retryTaken returns when to try again
	}
}

// list lists the containers. If dockerd is shutting down it returns an error, so that ports stay open
// until it is back: such a dockerd stops its containers one by one, still answers on old connections,
// and accepts no new one.
func (f *Follower) list(ctx context.Context, docker *dockerd.Client) ([]dockerd.Container, error) {
	listing, stop := context.WithTimeout(ctx, listTime)
	defer stop()
	list, err := docker.Containers(listing)
	if err != nil || !f.wouldRemove(list) {
		return list, err
	}
	asking, stop := context.WithTimeout(ctx, pingTime)
	defer stop()
	if _, err := dockerd.New(f.dialDocker).Ping(asking); err != nil {
		return nil, fmt.Errorf("a new connection to dockerd: %w", err)
	}
	return list, nil
}

// dialDocker connects to dockerd.
func (f *Follower) dialDocker(ctx context.Context) (net.Conn, error) {
	var first error
	if f.Docker != nil {
		conn, err := f.Docker(ctx)
		if err == nil {
			return conn, nil
		}
		first = err
	}
	f.tunnel.await(ctx)
	r, _ := f.tunnel.current()
	if r == nil {
		return nil, cmp.Or(first, errAway)
	}
	conn, err := r.DialContext(ctx, "unix", f.Socket)
	if err != nil {
		return nil, cmp.Or(first, err)
	}
	return conn, nil
}
