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

// Status is what a run has on the laptop, as it is in a file for other runs.
type Status struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	// Service reports that it is the login service.
	Service bool      `json:"service,omitempty"`
	Ports   []Forward `json:"ports"`
	// Problem is the last one that was reported, and when.
	Problem   string    `json:"problem,omitempty"`
	ProblemAt time.Time `json:"problem_at,omitzero"`
	// Refused are published ports that are not on the laptop. A port that is no longer
	// published may still be among them.
	Refused []Refused `json:"refused,omitempty"`
	// Away is why the docker host cannot be reached over SSH now.
	Away string `json:"away,omitempty"`
}

// Refused is a published port that is not on the laptop.
type Refused struct {
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"`
	Container string `json:"container"`
	Reason    string `json:"reason"`
	// Taken reports that another program of the laptop has it.
	Taken bool `json:"taken,omitempty"`
}

// Forward is a published port on the laptop.
type Forward struct {
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"`
	Container string `json:"container"`
	Reach     string `json:"reach"`
}

// Followed are the ports by their key.
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
	// lockTime is how long a run waits for the lock: others hold it for a moment, to see
	// whether there is a run.
	lockTime = 500 * time.Millisecond
	// writeTime is how long changes are gathered before the file is written.
	writeTime = 200 * time.Millisecond
)

// RunningError is the run that serves a docker host already.
type RunningError struct{ Status }

func (e *RunningError) Error() string {
	if e.Service {
		return "already served by the login service"
	}
	return fmt.Sprintf("already followed by another docker-vpn-helper (PID %d)", e.PID)
}

// Current is the run that serves the docker host whose state is in dir; running is false
// if there is none.
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

// ForgetLeftover is for when nothing is left of it.
func ForgetLeftover(ctx context.Context, l host.Laptop, dir string) error {
	return l.Remove(ctx, filepath.Join(dir, statusFile))
}

func tryLock(ctx context.Context, l host.Laptop, dir string, patience time.Duration) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.Lock(ctx, filepath.Join(dir, lockFile), nil)
}

// Keeper keeps the file of one run.
type Keeper struct {
	laptop host.Laptop
	dir    string
	unlock func()

	mu     sync.Mutex
	status Status
	timer  *time.Timer
	closed bool
}

// Begin makes this the one run that serves the docker host. The error is a *RunningError
// if there is another.
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

// Note takes an event into the status. The file follows a moment later.
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

// NoteAway takes into the status that the docker host cannot be reached, or can be if the reason
// is empty.
func (k *Keeper) NoteAway(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.status.Away != reason {
		k.status.Away = reason
		k.writeSoon()
	}
}

// writeSoon is called with the lock held.
func (k *Keeper) writeSoon() {
	if k.timer == nil && !k.closed {
		k.timer = time.AfterFunc(writeTime, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.timer = nil
			if !k.closed {
				// What cannot be written is missing in "ports", and nowhere else.
				_ = k.write(context.Background())
			}
		})
	}
}

// Close ends the run: the file goes, and the lock.
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
