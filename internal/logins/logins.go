// Package logins is the memory of connections to one docker host's sshd, across
// runs. Intrusion prevention counts them by source address and takes a burst for
// a brute-force attack: this program stays below the usual thresholds also when
// several of its commands are run in a row.
package logins

import (
	"encoding/json"
	"slices"
	"time"
)

const (
	// Minute is what common rules look at: "5 new connections to port 22 in 60 s".
	Minute = 60 * time.Second
	// PerMinute is how many connections a docker host gets from us in a Minute.
	PerMinute = 3
	// Memory is how long a connection is evidence that sshd was there.
	Memory = 10 * time.Minute
	// Wariness is how long a docker host that has cut us is taken for one that counts,
	// and for how long what it needs to be reached at all is remembered.
	Wariness = 24 * time.Hour
)

// Connection is one TCP connection to sshd.
type Connection struct {
	At time.Time `json:"at"`
	// Answered says that sshd said who it is, Well that it let us in and that all
	// was as it should be.
	Answered bool `json:"answered"`
	Well     bool `json:"well"`
}

// Ledger is what is known of one docker host's sshd.
type Ledger struct {
	Connections []Connection `json:"connections"`
	// Cut is when it was last seen to cut us off although it was there. Sure says that
	// there is no other explanation, Silent that it did so by not answering.
	Cut    time.Time `json:"cut,omitzero"`
	Sure   bool      `json:"sure,omitempty"`
	Silent bool      `json:"silent,omitempty"`
	// Legacy is when a login last needed outdated algorithms; Small is when one
	// last needed small TCP segments.
	Legacy time.Time `json:"legacy,omitzero"`
	Small  time.Time `json:"small,omitzero"`
}

// Parse reads a ledger as Bytes writes it. One that cannot be read is empty: it
// is a courtesy, not a reason to fail.
func Parse(data []byte, now time.Time) Ledger {
	var l Ledger
	if json.Unmarshal(data, &l) != nil {
		return Ledger{}
	}
	l.prune(now)
	return l
}

// Bytes is the ledger as a file.
func (l Ledger) Bytes() []byte {
	data, err := json.Marshal(l)
	if err != nil {
		return []byte("{}\n") // a year beyond 9999
	}
	return append(data, '\n')
}

// prune forgets what is over, and what lies in the future: the clock was set back.
func (l *Ledger) prune(now time.Time) {
	l.Connections = slices.DeleteFunc(l.Connections, func(c Connection) bool {
		return c.At.After(now) || now.Sub(c.At) >= Memory
	})
	slices.SortFunc(l.Connections, func(a, b Connection) int { return a.At.Compare(b.At) })
	for _, t := range []*time.Time{&l.Cut, &l.Legacy, &l.Small} {
		if t.After(now) || now.Sub(*t) >= Wariness {
			*t = time.Time{}
		}
	}
}

// Add notes a connection that begins now; Answer completes it.
func (l *Ledger) Add(now time.Time) {
	l.prune(now)
	l.Connections = append(l.Connections, Connection{At: now})
}

// Answer notes that the connection that began then was answered, and whether all
// went well.
func (l *Ledger) Answer(began time.Time, well bool) {
	for i := range l.Connections {
		if l.Connections[i].At.Equal(began) {
			l.Connections[i].Answered, l.Connections[i].Well = true, well
		}
	}
}

// Spoil notes that the newest login turned out not to be of use.
func (l *Ledger) Spoil() {
	if n := len(l.Connections); n > 0 {
		l.Connections[n-1].Well = false
	}
}

// Drop takes a connection back that never reached anybody.
func (l *Ledger) Drop(began time.Time) {
	l.Connections = slices.DeleteFunc(l.Connections, func(c Connection) bool { return c.At.Equal(began) })
}

// Recent counts the connections of the last Minute.
func (l Ledger) Recent(now time.Time) int {
	n := 0
	for _, c := range l.Connections {
		if age := now.Sub(c.At); age >= 0 && age < Minute {
			n++
		}
	}
	return n
}

// Wait is how long from now it takes until one more connection is one of at most
// limit in a Minute; 0 is at once.
func (l Ledger) Wait(now time.Time, limit int) time.Duration {
	if l.Recent(now) < limit {
		return 0
	}
	// Sorted by time: once this one is over, fewer than limit are left.
	c := l.Connections[len(l.Connections)-limit]
	return max(0, Minute-now.Sub(c.At))
}

// LastAnswer is when sshd last said who it is, within Memory.
func (l Ledger) LastAnswer() (time.Time, bool) {
	for _, c := range slices.Backward(l.Connections) {
		if c.Answered {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// Fine says that all was well with the newest connection, and with as many of the
// last Minute as a diagnosis may make: one more would find the same.
func (l Ledger) Fine(now time.Time) bool {
	if !l.LastWell() {
		return false
	}
	well := 0
	for _, c := range l.Connections {
		if c.Well && now.Sub(c.At) < Minute {
			well++
		}
	}
	return well >= PerMinute-1
}

// CutOff says that somebody who counts has cut us and that nothing was answered since.
func (l Ledger) CutOff() bool {
	n := len(l.Connections)
	if n == 0 || !l.Wary() {
		return false
	}
	last, ok := l.LastAnswer()
	return !ok || last.Before(l.Cut)
}

// Banned is how long it takes until nothing of us is within what common rules count. What
// is not answered is sent again, by a NAT engine also when we have given up.
func (l Ledger) Banned(now time.Time) time.Duration {
	if !l.Sure || !l.CutOff() {
		return 0
	}
	span := Minute
	if l.Silent {
		span = 2 * Minute
	}
	return max(0, span-now.Sub(l.Connections[len(l.Connections)-1].At))
}

// LastWell says that the newest connection let us in and that all was well.
func (l Ledger) LastWell() bool {
	n := len(l.Connections)
	return n > 0 && l.Connections[n-1].Well
}

// Wary says that this docker host, or something before it, has cut us off lately.
func (l Ledger) Wary() bool { return !l.Cut.IsZero() }
