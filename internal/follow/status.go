package follow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

// Status describes a running follower. It is kept in a file, for other commands.
type Status struct {
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	Service   bool      `json:"service,omitempty"` // it is the login service
	Ports     []Forward `json:"ports"`
	Problem   string    `json:"problem,omitempty"` // the last one that was reported
	ProblemAt time.Time `json:"problem_at,omitzero"`
	// Refused are published ports that could not be forwarded. Some may no longer be published.
	Refused []Refused `json:"refused,omitempty"`
	// Away is why the docker host cannot be reached over SSH; "" if it can.
	Away string `json:"away,omitempty"`
}

// Refused is a published port that could not be forwarded.
type Refused struct {
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"`
	Container string `json:"container"`
	Reason    string `json:"reason"`
	Taken     bool   `json:"taken,omitempty"` // another program listens on the laptop's port
}

// Forward is a published port that is forwarded.
type Forward struct {
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"`
	Container string `json:"container"`
	Reach     string `json:"reach"` // "localhost:8080"
}

// Followed returns where the laptop reaches each port that is forwarded.
func (s Status) Followed() map[ports.Key]string {
	all := map[ports.Key]string{}
	for _, f := range s.Ports {
		all[ports.Key{Protocol: f.Protocol, Port: f.Port}] = f.Reach
	}
	return all
}

const (
	statusFile = "ports.json"
	lockFile   = "ports-follow.lock"
	// lockTime is how long Begin waits for the lock, which Current holds for a moment.
	lockTime = 500 * time.Millisecond
	// writeTime is how long changes are collected before the file is written.
	writeTime = 200 * time.Millisecond
)

// RunningError means that another run follows the docker host already.
type RunningError struct{ Status }

func (e *RunningError) Error() string {
	if e.Service {
		return "already served by the login service"
	}
	return fmt.Sprintf("already followed by another docker-vpn-helper (PID %d)", e.PID)
}

// Current returns the status of the run that follows the docker host with state directory dir, and
// whether it is still running. A killed run leaves its status.
func Current(ctx context.Context, l host.Laptop, dir string) (s Status, running bool) {
	data, err := l.ReadFile(ctx, filepath.Join(dir, statusFile))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return Status{}, false
	}
	unlock, err := tryLock(ctx, l, dir, time.Millisecond)
	if err == nil {
		unlock()
		return s, false
	}
	return s, true
}

// Leftover reports whether a run was killed and may have left NAT rules.
func Leftover(ctx context.Context, l host.Laptop, dir string) bool {
	_, err := l.ReadFile(ctx, filepath.Join(dir, statusFile))
	_, running := Current(ctx, l, dir)
	return err == nil && !running
}

// ForgetLeftover removes the status of a killed run, after its NAT rules were removed.
func ForgetLeftover(ctx context.Context, l host.Laptop, dir string) error {
	return l.Remove(ctx, filepath.Join(dir, statusFile))
}

func tryLock(ctx context.Context, l host.Laptop, dir string, patience time.Duration) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.Lock(ctx, filepath.Join(dir, lockFile), nil)
}

// Keeper keeps the status file of one run, and the lock that shows that it is running.
type Keeper struct {
	laptop host.Laptop
	dir    string
	unlock func()

	mu     sync.Mutex
	status Status
	timer  *time.Timer
	closed bool
}

// Begin takes the lock and writes the first status. The error is a *RunningError if another run
// follows the docker host.
func Begin(ctx context.Context, l host.Laptop, dir string, s Status) (*Keeper, error) {
	unlock, err := tryLock(ctx, l, dir, lockTime)
	if errors.Is(err, context.DeadlineExceeded) {
		other, _ := Current(ctx, l, dir)
		return nil, &RunningError{other}
	}
	if err != nil {
		return nil, err
	}
	k := &Keeper{laptop: l, dir: dir, unlock: unlock, status: s}
	k.status.Ports = []Forward{}
	if err := k.write(ctx); err != nil {
		unlock()
		return nil, fmt.Errorf("writing %s: %w", k.path(), host.WithoutPath(err, k.path()))
	}
	return k, nil
}

func (k *Keeper) path() string { return filepath.Join(k.dir, statusFile) }

func (k *Keeper) write(ctx context.Context) error {
	data, err := json.Marshal(k.status)
	if err != nil {
		return err
	}
	return k.laptop.WriteFile(ctx, k.path(), append(data, '\n'), 0o600)
}

// Note adds an event to the status. The file is written after writeTime.
func (k *Keeper) Note(e Event, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &k.status
	s.Ports = slices.DeleteFunc(s.Ports, func(f Forward) bool { return e.Kind != Problem && f.Port == e.Port && f.Protocol == e.Protocol })
	s.Refused = slices.DeleteFunc(s.Refused, func(r Refused) bool { return r.Port == e.Port && r.Protocol == e.Protocol })
	switch e.Kind {
	case Add:
		s.Ports = append(s.Ports, Forward{Port: e.Port, Protocol: e.Protocol, Container: e.Container, Reach: e.Reach})
	case Problem:
		s.Problem, s.ProblemAt = e.Container+": "+e.Reason, now
		if e.Port != 0 {
			s.Refused = append(s.Refused, Refused{Port: e.Port, Protocol: e.Protocol, Container: e.Container, Reason: e.Reason, Taken: e.Taken})
		}
	}
	k.writeSoon()
}

// NoteAway records why the docker host cannot be reached; "" means that it can.
func (k *Keeper) NoteAway(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.status.Away != reason {
		k.status.Away = reason
		k.writeSoon()
	}
}

// writeSoon writes the file after writeTime. k.mu is held.
func (k *Keeper) writeSoon() {
	if k.timer == nil && !k.closed {
		k.timer = time.AfterFunc(writeTime, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.timer = nil
			if !k.closed {
				// If this fails, only the output of "ports" is incomplete.
				_ = k.write(context.Background())
			}
		})
	}
}

// Close removes the file and releases the lock.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	err := k.laptop.Remove(context.Background(), k.path())
	k.unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
