package access

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

const (
	// connectionMemory is how long connections are remembered.
	connectionMemory = 10 * time.Minute
	// longMemory is how long it is remembered that a docker host has cut us off, and what a login
	// needed.
	longMemory = 24 * time.Hour
)

// connection is one TCP connection to sshd.
type connection struct {
	At       time.Time `json:"at"`
	Answered bool      `json:"answered"` // sshd sent its first line
}

// history is what is known about one sshd, across runs, sorted by time. It is stored as JSON, whose
// names must not change.
type history struct {
	Connections []connection `json:"connections"`
	// Cut is when sshd last cut us off although it was up; zero if it did not. Sure means that
	// nothing else explains that, Silent that it got no answer instead of being closed.
	Cut    time.Time `json:"cut,omitzero"`
	Sure   bool      `json:"sure,omitempty"`
	Silent bool      `json:"silent,omitempty"`
	// Legacy is when a login last needed outdated algorithms, Small when one last needed small TCP
	// segments; zero if none did.
	Legacy time.Time `json:"legacy,omitzero"`
	Small  time.Time `json:"small,omitzero"`
}

// LastAnswer returns how long ago sshd last sent its first line at one of the addresses, in this
// run or a recent one. ok is false if it did not.
func (a *Access) LastAnswer(ctx context.Context, addresses []Address) (ago time.Duration, ok bool) {
	for _, address := range addresses {
		if at, answered := a.history(ctx, address).lastAnswer(); answered && (!ok || a.Now().Sub(at) < ago) {
			ago, ok = a.Now().Sub(at), true
		}
	}
	return ago, ok
}

// RecordCut records that sshd limits logins: whether that is certain, and whether it leaves excess
// connections without an answer.
func (a *Access) RecordCut(ctx context.Context, address Address, sure, silent bool) {
	a.record(ctx, address, func(h *history) { h.Cut, h.Sure, h.Silent = a.Now(), sure, silent })
}

// recordConnection records a connection that begins now and to which the login rule does not apply.
// began identifies it in recordOutcome.
func (a *Access) recordConnection(ctx context.Context, address Address) (began time.Time) {
	a.record(ctx, address, func(h *history) {
		began = a.Now()
		h.add(began)
	})
	return began
}

// recordOutcome records how the connection that began then ended: err, or how it logged in.
func (a *Access) recordOutcome(ctx context.Context, began time.Time, how Login, err error) {
	var failed *sshhost.Error
	answered := err == nil || errors.As(err, &failed) && failed.Ident != ""
	a.record(ctx, how.Address, func(h *history) {
		switch {
		case nothingListens(how.Address, err):
			h.drop(began)
		case answered:
			h.answered(began)
		}
		if err == nil && how.Legacy && h.Legacy.IsZero() {
			h.Legacy = a.Now()
		}
		if err == nil && how.Small && h.Small.IsZero() {
			h.Small = a.Now()
		}
	})
}

// historyFile returns the path of the history for an address. Behind NAT each machine has its own.
// Otherwise it belongs to the address, which several machines may share.
func (a *Access) historyFile(address Address) string {
	if address.NAT {
		return filepath.Join(a.MachineDir, "logins.json")
	}
	name, _, err := net.SplitHostPort(address.Addr)
	if err != nil {
		name = address.Addr
	}
	safe := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return filepath.Join(a.StateDir, "logins", "at-"+safe+".json")
}

func (a *Access) history(ctx context.Context, address Address) history {
	data, err := a.Laptop.ReadFile(ctx, a.historyFile(address))
	if err != nil {
		return history{}
	}
	return parseHistory(data, a.Now())
}

// record changes a history under its lock, and writes it in the background. If the state directory
// cannot be written, nothing is remembered and the run goes on.
func (a *Access) record(ctx context.Context, address Address, change func(*history)) {
	path := a.historyFile(address)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	unlock, err := a.Laptop.Lock(ctx, path+".lock", nil)
	h := a.history(ctx, address)
	change(&h)
	if err != nil {
		cancel()
		return
	}
	data := h.bytes()
	a.background.Go(func() {
		defer cancel()
		defer unlock()
		_ = a.Laptop.WriteFile(ctx, path, data, 0o600)
	})
}

// parseHistory parses a history. If it cannot be parsed, it counts as empty: that is no reason to
// fail.
func parseHistory(data []byte, now time.Time) history {
	var h history
	if json.Unmarshal(data, &h) != nil {
		return history{}
	}
	h.prune(now)
	return h
}

func (h history) bytes() []byte {
	data, err := json.Marshal(h)
	if err != nil {
		return []byte("{}\n") // a year beyond 9999
	}
	return append(data, '\n')
}

// prune removes what is too old, and what is in the future because the clock was set back.
func (h *history) prune(now time.Time) {
	h.Connections = slices.DeleteFunc(h.Connections, func(c connection) bool {
		return c.At.After(now) || now.Sub(c.At) >= connectionMemory
	})
	slices.SortFunc(h.Connections, func(a, b connection) int { return a.At.Compare(b.At) })
	for _, t := range []*time.Time{&h.Cut, &h.Legacy, &h.Small} {
		if t.After(now) || now.Sub(*t) >= longMemory {
			*t = time.Time{}
		}
	}
}

// add records a connection that begins now.
func (h *history) add(now time.Time) {
	h.prune(now)
	h.Connections = append(h.Connections, connection{At: now})
}

// answered records that sshd answered the connection that began then.
func (h *history) answered(began time.Time) {
	for i := range h.Connections {
		if h.Connections[i].At.Equal(began) {
			h.Connections[i].Answered = true
		}
	}
}

// drop removes the connection that began then, which never reached sshd.
func (h *history) drop(began time.Time) {
	h.Connections = slices.DeleteFunc(h.Connections, func(c connection) bool { return c.At.Equal(began) })
}

// recent returns the number of connections in the last minute.
func (h history) recent(now time.Time) int {
	n := 0
	for _, c := range h.Connections {
		if age := now.Sub(c.At); age >= 0 && age < time.Minute {
			n++
		}
	}
	return n
}

// wait returns how long it takes until one more connection does not exceed limit connections a
// minute.
func (h history) wait(now time.Time, limit int) time.Duration {
	if h.recent(now) < limit {
		return 0
	}
	// Once this one is a minute old, fewer than limit are left.
	c := h.Connections[len(h.Connections)-limit]
	return max(0, time.Minute-now.Sub(c.At))
}

// lastAnswer returns when sshd last sent its first line; ok is false if it never did.
func (h history) lastAnswer() (at time.Time, ok bool) {
	for _, c := range slices.Backward(h.Connections) {
		if c.Answered {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// cutLately reports whether this docker host, or something in front of it, cut us off recently.
// prune removes older cut-offs.
func (h history) cutLately() bool { return !h.Cut.IsZero() }

// cutOff reports whether it has cut us off and not answered since.
func (h history) cutOff() bool {
	if len(h.Connections) == 0 || !h.cutLately() {
		return false
	}
	last, ok := h.lastAnswer()
	return !ok || last.Before(h.Cut)
}

// banned returns how long it takes until common rules have forgotten our connections. After silence
// that is longer, because packets without an answer are sent again, by a NAT engine even after we
// have given up.
func (h history) banned(now time.Time) time.Duration {
	if !h.Sure || !h.cutOff() {
		return 0
	}
	span := time.Minute
	if h.Silent {
		span = 2 * time.Minute
	}
	return max(0, span-now.Sub(h.Connections[len(h.Connections)-1].At))
}

// nothingListens reports whether the laptop itself refused the connection, because nothing listens
// on the NAT rule's port. The docker host has not seen it.
func nothingListens(address Address, err error) bool {
	return address.NAT && errors.Is(err, syscall.ECONNREFUSED)
}
