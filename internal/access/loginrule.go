package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// perMinute is how many connections a docker host gets from us in a minute. Common rules
// of intrusion prevention begin at five.
const perMinute = 3

// HeldBackError is a connection to sshd that the login rule did not allow yet.
type HeldBackError struct {
	Address Address
	Recent  int           // connections in the last minute
	Wait    time.Duration // until the rule allows one
	// Cut is how long ago sshd cut us off, if it has not answered since; else 0.
	Cut time.Duration
	// Legacy and Small are what a login needed lately.
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

// Skipped reports whether err is a login that a diagnosis did without because of the
// login rule alone. It is no fault: a repair logs in.
func Skipped(err error) bool {
	var held *HeldBackError
	return errors.As(err, &held) && held.Cut == 0
}

// admit waits until the login rule allows a connection, or refuses it to a diagnosis.
// before is the history without it.
func (a *Access) admit(ctx context.Context, address Address) (began time.Time, before history, err error) {
	for {
		var held *HeldBackError
		a.record(ctx, address, func(h *history) {
			now := a.Now()
			if wait := a.hold(*h, now); wait > 0 {
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

// hold is how long the login rule keeps this run from connecting; see the package's
// comment. The rollback of a failing run has a deadline and is never held back.
func (a *Access) hold(h history, now time.Time) time.Duration {
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
