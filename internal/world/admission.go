package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/logins"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// HeldBackError is a connection to sshd that was not made: one more in a minute
// is what intrusion prevention takes for an attack.
type HeldBackError struct {
	Door   Door
	Recent int           // connections in the last minute
	Wait   time.Duration // until one more would do
	// Answered is how long ago sshd answered; Fine says that all was well then.
	Answered time.Duration
	Fine     bool
	// Cut is how long ago it cut us, who counts, if it has not answered since; else 0.
	Cut time.Duration
	// Legacy and Small are what the latest login needed.
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
		return fmt.Sprintf("%s cut us off %s ago (%s in the last minute), and each try may make it last longer", e.Door.Addr, e.Cut.Round(time.Second), connections)
	}
	return fmt.Sprintf("%s to %s in the last minute, and more look like an attack", connections, e.Door.Addr)
}

// Spared says that err is a login that a diagnosis did without, because the last one
// went well. It is not a fault: a repair logs in.
func Spared(err error) bool {
	var held *HeldBackError
	return errors.As(err, &held) && held.Fine
}

// admission is the permission for one connection.
type admission struct {
	began  time.Time
	ledger logins.Ledger // as it was before
}

// admit waits until one more connection is below what intrusion prevention counts
// to, or refuses it. Anybody on the way to a docker host in some network can
// count; on the way to a VM of this laptop only the VM itself can, which
// docker-machine's do not, so it is believed to count once it has cut us.
//
// Of the connections that fit into a minute a diagnosis leaves the last one to a
// repair. Where all is well anyway a diagnosis does not ask a third time, whoever
// counts.
func (w *World) admit(ctx context.Context, door Door) (admission, error) {
	for {
		a, held := w.tryAdmit(ctx, door)
		if held == nil {
			return a, nil
		}
		if !w.Repairing() {
			return a, held
		}
		w.Tell("[%s] waiting %s: %s", w.Machine.Name, held.Wait.Round(time.Second), held.why())
		if err := host.Sleep(ctx, held.Wait); err != nil {
			return a, err
		}
	}
}

func (w *World) tryAdmit(ctx context.Context, door Door) (admission, *HeldBackError) {
	before := w.ledger(ctx, door)
	relaxed := w.limit(door, before)
	if relaxed > 0 && before.Wait(w.Now(), relaxed) > 0 && !w.strict(door, before) && w.Good(ctx, w.Target(ctx)) != nil {
		relaxed = 0 // something is wrong: what it is matters more
	}
	var a admission
	var held *HeldBackError
	w.keep(ctx, door, func(l *logins.Ledger) {
		now := w.Now()
		limit, wait := relaxed, time.Duration(0)
		if w.strict(door, *l) {
			limit = w.limit(door, *l)
		}
		if limit > 0 {
			wait = l.Wait(now, limit)
		}
		// Where silence is the answer, one try is several packets, each of which counts as
		// another. A repair waits for the end of a ban that it would only run into.
		if !w.unpaced.Load() && (l.Silent || w.Repairing()) {
			wait = max(wait, l.Banned(now))
		}
		if wait > 0 {
			held = &HeldBackError{Door: door, Recent: l.Recent(now), Wait: wait, Fine: l.LastWell(), Legacy: !l.Legacy.IsZero(), Small: !l.Small.IsZero()}
			if l.CutOff() {
				held.Cut = max(now.Sub(l.Cut), 1)
			}
			if last, ok := l.LastAnswer(); ok {
				held.Answered = now.Sub(last)
			}
			return
		}
		a = admission{began: now, ledger: *l}
		l.Add(now)
	})
	return a, held
}

// strict says whether somebody may count.
func (w *World) strict(door Door, l logins.Ledger) bool {
	return !w.unpaced.Load() && (!door.NAT && !w.Machine.VirtualBox() || l.Wary() || w.redialed.Load())
}

// limit is how many connections a minute this run may come up to; 0 is any number.
func (w *World) limit(door Door, l logins.Ledger) int {
	switch {
	case w.unpaced.Load():
		return 0
	case w.redialed.Load():
		return logins.PerMinute
	case w.Sparing && (w.strict(door, l) || l.Fine(w.Now())):
		return logins.PerMinute - 1
	case w.strict(door, l):
		return logins.PerMinute
	}
	return 0
}

// note is a connection that needs no permission.
func (w *World) note(ctx context.Context, door Door) admission {
	var a admission
	w.keep(ctx, door, func(l *logins.Ledger) {
		a = admission{began: w.Now(), ledger: *l}
		l.Add(a.began)
	})
	return a
}

// settle notes what came of a connection.
func (w *World) settle(ctx context.Context, door Door, a admission, how Login, err error) {
	var failed *sshhost.Error
	answered := err == nil || errors.As(err, &failed) && failed.Ident != ""
	w.keep(ctx, door, func(l *logins.Ledger) {
		switch {
		case refusedHere(door, err):
			l.Drop(a.began)
		case answered:
			l.Answer(a.began, err == nil)
		}
		if err == nil && how.Legacy && l.Legacy.IsZero() {
			l.Legacy = w.Now()
		}
		if err == nil && how.Small && l.Small.IsZero() {
			l.Small = w.Now()
		}
	})
}

// NoteCut remembers that a docker host counts connections: whether that is sure, and
// whether it answers nothing to those that are too many.
func (w *World) NoteCut(ctx context.Context, door Door, sure, silent bool) {
	w.keep(ctx, door, func(l *logins.Ledger) { l.Cut, l.Sure, l.Silent = w.Now(), sure, silent })
}

// noteTrouble remembers that the login was of no use: the next run looks again.
func (w *World) noteTrouble(ctx context.Context) {
	if made := w.made.Load(); made != nil {
		w.keep(ctx, made.Door, func(l *logins.Ledger) { l.Spoil() })
	}
}

// LastAnswer is how long ago sshd said who it is, at any of the doors, in this run
// or one shortly before.
func (w *World) LastAnswer(ctx context.Context, doors []Door) (ago time.Duration, ok bool) {
	for _, door := range doors {
		if at, answered := w.ledger(ctx, door).LastAnswer(); answered && (!ok || w.Now().Sub(at) < ago) {
			ago, ok = w.Now().Sub(at), true
		}
	}
	return ago, ok
}

// ledgerFile is where connections by a door are counted: behind NAT each machine
// by itself, else by address, which several machines may share.
func (w *World) ledgerFile(door Door) string {
	if door.NAT {
		return filepath.Join(w.MachineState(), "logins.json")
	}
	host, _, err := net.SplitHostPort(door.Addr)
	if err != nil {
		host = door.Addr
	}
	safe := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, host)
	return filepath.Join(w.StateDir, "logins", "at-"+safe+".json")
}

func (w *World) ledger(ctx context.Context, door Door) logins.Ledger {
	data, err := w.Laptop.ReadFile(ctx, w.ledgerFile(door))
	if err != nil {
		return logins.Ledger{}
	}
	return logins.Parse(data, w.Now())
}

// keep changes a ledger, alone. The file is written while other things go on; a
// state directory that cannot be written is no reason not to help: then nothing
// is remembered.
func (w *World) keep(ctx context.Context, door Door, change func(*logins.Ledger)) {
	path := w.ledgerFile(door)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ProbeTime)
	unlock, err := w.Laptop.Lock(ctx, path+".lock", nil)
	l := w.ledger(ctx, door)
	change(&l)
	if err != nil {
		cancel()
		return
	}
	data := l.Bytes()
	w.books.Go(func() {
		defer cancel()
		defer unlock()
		_ = w.Laptop.WriteFile(ctx, path, data, 0o600)
	})
}
