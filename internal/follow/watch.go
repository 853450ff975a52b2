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
	// settleTime is how long after the last event the containers are listed once more: at
	// the moment of a "die" dockerd may still list the port.
	settleTime = 150 * time.Millisecond
	// listTime bounds one list, and pingTime a sign of life.
	listTime = 20 * time.Second
	pingTime = 2 * time.Second
	// A port that is taken is tried again after retryTime, and then ever more rarely.
	retryTime    = 2 * time.Second
	maxRetryTime = 30 * time.Second
)

var errAgain = errors.New("subscribing again")

// watch subscribes to dockerd's events, and again whenever that has ended or again asks
// for it.
func (f *Follower) watch(ctx context.Context, again <-chan struct{}) {
	var wait backoff
	told := false
	for ctx.Err() == nil {
		session, cancel := context.WithCancel(ctx)
		subscribed := false
		err := f.subscribe(session, cancel, again, func() {
			subscribed = true
			poke(f.tunnel.wake) // the docker host is back
		})
		cancel()
		if subscribed {
			wait.reset()
			told = false
		}
		if ctx.Err() != nil {
			return
		}
		if !subscribed && !told {
			f.Notify("[%s] waiting for dockerd: %v", f.Name, err)
			told = true
		}
		if !errors.Is(err, errAgain) {
			_ = host.Sleep(ctx, wait.next())
		}
	}
}

// subscribe lists the containers after each event, until the events end. A list and the
// reading of events never wait for each other.
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
			// The connection may be half open, and what happened meanwhile is not known.
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
		retry.Reset(0) // to find out when to try again
	}
}

// list lists the containers. A dockerd that is shutting down stops them first: it lists ever fewer
// on the connections that it has, and takes no new one. Their ports stay for when it is back.
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
