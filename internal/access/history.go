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
	// memory is how long a connection shows that sshd was there.
	memory = 10 * time.Minute
	// longMemory is how long a docker host that has cut us off is taken for one that
	// limits logins, and for how long what a login needed is remembered.
	longMemory = 24 * time.Hour
)

// connection is one TCP connection to sshd.
type connection struct {
	At       time.Time `json:"at"`
	Answered bool      `json:"answered"` // sshd sent its first line
}

// history is what is known of one sshd, across runs, sorted by time. Its file is JSON;
// the names are those of every version.
type history struct {
	Connections []connection `json:"connections"`
	// Cut is when sshd last cut us off although it was up. Sure reports that there is no
	// other explanation, Silent that it did so by not answering.
	Cut    time.Time `json:"cut,omitzero"`
	Sure   bool      `json:"sure,omitempty"`
	Silent bool      `json:"silent,omitempty"`
	// Legacy is when a login last needed outdated algorithms, Small when one last needed
	// small TCP segments.
	Legacy time.Time `json:"legacy,omitzero"`
	Small  time.Time `json:"small,omitzero"`
}

// LastAnswer is how long ago sshd sent its first line, at any of the addresses, in this
// run or one shortly before.
func (a *Access) LastAnswer(ctx context.Context, addresses []Address) (ago time.Duration, ok bool) {
	for _, address := range addresses {
		if at, answered := a.history(ctx, address).lastAnswer(); answered && (!ok || a.Now().Sub(at) < ago) {
			ago, ok = a.Now().Sub(at), true
		}
	}
	return ago, ok
}

// RecordCut remembers that sshd limits logins: whether that is sure, and whether it
// does not answer those that are too many.
func (a *Access) RecordCut(ctx context.Context, address Address, sure, silent bool) {
	a.record(ctx, address, func(h *history) { h.Cut, h.Sure, h.Silent = a.Now(), sure, silent })
}

// recordConnection records a connection that needs no permission.
func (a *Access) recordConnection(ctx context.Context, address Address) (began time.Time) {
	a.record(ctx, address, func(h *history) {
		began = a.Now()
		h.add(began)
	})
	return began
}

// recordOutcome records the outcome of the connection that was begun at began: err, or how it
// logged in.
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

// historyFile is where connections to an address are recorded: behind NAT each machine
// has its own, else it belongs to the address, which several machines may share.
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

// record changes a history under its lock. The file is written in the background. Where
// the state directory cannot be written nothing is remembered, and the run goes on.
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

// parseHistory reads what bytes writes. A file that cannot be read is an empty history:
// it is no reason to fail.
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

// prune forgets what is too old, and what lies in the future: the clock was set back.
func (h *history) prune(now time.Time) {
	h.Connections = slices.DeleteFunc(h.Connections, func(c connection) bool {
		return c.At.After(now) || now.Sub(c.At) >= memory
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

// answered records that the connection that began then was answered.
func (h *history) answered(began time.Time) {
	for i := range h.Connections {
		if h.Connections[i].At.Equal(began) {
			h.Connections[i].Answered = true
		}
	}
}

// drop removes a connection that never reached sshd.
func (h *history) drop(began time.Time) {
	h.Connections = slices.DeleteFunc(h.Connections, func(c connection) bool { return c.At.Equal(began) })
}

// recent counts the connections of the last minute.
func (h history) recent(now time.Time) int {
	n := 0
	for _, c := range h.Connections {
		if age := now.Sub(c.At); age >= 0 && age < time.Minute {
			n++
		}
	}
	return n
}

// wait is how long it takes until one more connection is one of at most limit in a minute.
func (h history) wait(now time.Time, limit int) time.Duration {
	if h.recent(now) < limit {
		return 0
	}
	// Once this one is a minute old, fewer than limit are left.
	c := h.Connections[len(h.Connections)-limit]
	return max(0, time.Minute-now.Sub(c.At))
}

// lastAnswer is when sshd last sent its first line.
func (h history) lastAnswer() (time.Time, bool) {
	for _, c := range slices.Backward(h.Connections) {
		if c.Answered {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// cutLately reports whether this docker host, or something before it, has cut us off. prune
// drops a cut-off that is too long ago.
func (h history) cutLately() bool { return !h.Cut.IsZero() }

// cutOff reports whether it has cut us off, and has answered nothing since.
func (h history) cutOff() bool {
	if len(h.Connections) == 0 || !h.cutLately() {
		return false
	}
	last, ok := h.lastAnswer()
	return !ok || last.Before(h.Cut)
}

// banned is how long it takes until common rules have forgotten our connections. What
// is not answered is sent again, by a NAT engine also when we have given up.
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

// nothingListens reports whether the laptop refused a connection to itself: nothing listens at
// the NAT rule's port, and the docker host has not seen the connection.
func nothingListens(address Address, err error) bool {
	return address.NAT && errors.Is(err, syscall.ECONNREFUSED)
}
