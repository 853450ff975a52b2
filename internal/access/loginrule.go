package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// perMinute is how many connections we make to a docker host in a minute. Common rules of intrusion
// prevention trigger at five.
const perMinute = 3

// HeldBackError means that the login rule does not allow a connection to sshd yet.
type HeldBackError struct {
	Address Address
	Recent  int           // connections in the last minute
	Wait    time.Duration // until the rule allows one
	// Cut is how long ago sshd cut us off, if it has not answered since; otherwise 0.
	Cut time.Duration
	// Legacy and Small are what recent logins needed: see Login.
	Legacy, Small bool
}

func (e *HeldBackError) Error() string {
	return fmt.Sprintf("not connected again: %s; wait %s", e.why(), e.Wait.Round(time.Second))
}

func (e *HeldBackError) why() string {
	connections := fmt.Sprintf("%d SSH connections", e.Recent)
	if e.Recent == 1 {
		connections = "an SSH connection"
	}
	if e.Cut > 0 {
		return fmt.Sprintf("%s cut us off %s ago (%s in the last minute), and each try may make it last longer", e.Address.Addr, e.Cut.Round(time.Second), connections)
	}
	return fmt.Sprintf("%s to %s in the last minute, and more look like an attack", connections, e.Address.Addr)
}

// Skipped reports whether err only means that a diagnosis skipped the login because of the login
// rule. That is not a fault: a repair logs in.
func Skipped(err error) bool {
	var held *HeldBackError
	return errors.As(err, &held) && held.Cut == 0
}

// admit waits until the login rule allows a connection, and records it. In a diagnosis it does not
// wait, but returns a *HeldBackError. before is the history without the connection.
func (a *Access) admit(ctx context.Context, address Address) (began time.Time, before history, err error) {
	for {
		var held *HeldBackError
		a.record(ctx, address, func(h *history) {
			now := a.Now()
			if wait := a.requiredWait(*h, now); wait > 0 {
				held = h.heldBack(address, wait, now)
				return
			}
			began, before = now, *h
			h.add(now)
		})
		switch {
		case held == nil:
			return began, before, nil
		case !a.Mode().IsRepair():
			return began, before, held
		}
		a.Notify("[%s] waiting %s: %s", a.Machine.Name, held.Wait.Round(time.Second), held.why())
		if err := host.Sleep(ctx, held.Wait); err != nil {
			return began, before, err
		}
	}
}

// requiredWait returns how long this run must wait before it connects, by the login rule in the
// package comment. A rollback has a deadline and never waits.
func (a *Access) requiredWait(h history, now time.Time) time.Duration {
	if a.rollback.Load() {
		return 0
	}
	wait := h.banned(now)
	if a.Machine.VirtualBox() && !h.cutLately() {
		return wait
	}
	limit := perMinute
	if !a.Mode().IsRepair() {
		limit--
	}
	return max(wait, h.wait(now, limit))
}

func (h history) heldBack(address Address, wait time.Duration, now time.Time) *HeldBackError {
	held := &HeldBackError{Address: address, Recent: h.recent(now), Wait: wait, Legacy: !h.Legacy.IsZero(), Small: !h.Small.IsZero()}
	if h.cutOff() {
		held.Cut = max(now.Sub(h.Cut), 1)
	}
	return held
}
