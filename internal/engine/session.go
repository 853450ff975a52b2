package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Job is what a session is for: a command that changes a docker host, or the laptop's VirtualBox.
type Job struct {
	// Dir is the directory of the lock and the journals. Only one session at a time uses it.
	Dir    string
	Laptop host.Laptop
	Decode journal.Decoder
	// Open opens the docker host. It is called under the lock, and again after a rollback.
	Open func() (*target.Target, error)

	// Command, Machine and Store are recorded in the journals. Machine is "" if the job is not
	// about a particular machine.
	Command, Machine, Store string
	// Doing completes "waiting for another docker-vpn-helper that". Title is what users call the
	// job; if it is "", they know it by the command in the journal.
	Doing, Title string
	Sink         Sink
	Now          func() time.Time

	// UpForRollback are the layers that Begin repairs before it rolls back an unfinished run on the
	// docker host. Undo repairs none: it prints what the user must do.
	UpForRollback []Layer
	// Before is another job, that of VirtualBox's modules, whose unfinished runs are rolled back
	// first. It may be nil.
	Before *Job
}

// Session is a Job while it has the lock: nothing else reads or writes its journals.
type Session struct {
	Job
	Target *target.Target
	unlock func()
}

// Begin takes the lock, opens the docker host and rolls back runs that did not finish; it never
// completes them. After a rollback it opens the docker host again, because config.json may have
// changed. Cancelling ctx also stops this rollback; cancelling hard stops the rollback of what it
// repairs for it.
func Begin(ctx, hard context.Context, job Job) (*Session, error) {
	s, err := Lock(ctx, job)
	if err != nil {
		return nil, err
	}
	found, err := s.rollBackUnfinished(ctx, hard)
	if err == nil && found {
		err = s.reopen()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Lock is like Begin, but does not roll back unfinished runs: Undo reverts them itself.
func Lock(ctx context.Context, job Job) (*Session, error) {
	unlock, err := job.Laptop.Lock(ctx, filepath.Join(job.Dir, "lock"), func() {
		job.note("waiting for another docker-vpn-helper that " + job.Doing)
	})
	if err != nil {
		return nil, Cause(ctx, unchanged(err))
	}
	s := &Session{Job: job, unlock: unlock}
	if s.Target, err = job.Open(); err != nil {
		unlock()
		return nil, err
	}
	return s, nil
}

// reopen opens the docker host again and keeps the connections.
func (s *Session) reopen() error {
	t, err := s.Open()
	if err != nil {
		return err
	}
	t.TakeConnections(s.Target)
	s.Target.Close()
	s.Target = t
	return nil
}

// Close closes the session's connections and releases the lock.
func (s *Session) Close() {
	s.Target.Close()
	s.unlock()
}

// UnreadableError means that a journal cannot be read, so that it is unknown what its run changed.
type UnreadableError struct {
	Err     error
	Machine string // "" if the journal is not about a particular machine
}

func (e *UnreadableError) Error() string { return e.Err.Error() }
func (e *UnreadableError) Unwrap() error { return e.Err }

// Journals returns the journals of all runs, oldest first. If some cannot be read, it returns the
// others and an *UnreadableError.
func (job Job) Journals(ctx context.Context) ([]*journal.Journal, error) {
	all, err := journal.Read(ctx, job.Laptop, journal.Dir(job.Dir), job.Decode)
	if err != nil {
		err = &UnreadableError{Err: err, Machine: job.Machine}
	}
	return all, err
}

// RollBackUnfinished rolls back the job's runs that did not finish, if there are any, in a session
// of its own.
func RollBackUnfinished(ctx, hard context.Context, job Job) error {
	all, err := job.Journals(ctx)
	if err == nil && !slices.ContainsFunc(all, (*journal.Journal).Unfinished) {
		return nil
	}
	s, err := Lock(ctx, job)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.rollBackUnfinished(ctx, hard)
	return err
}

// rollBackUnfinished rolls back the runs that did not finish, newest first, after those of Before.
// It may take longer than rollbackTime: if Ctrl-C cuts it short, the next command resumes it. found
// reports whether the session itself had such runs.
func (s *Session) rollBackUnfinished(ctx, hard context.Context) (found bool, err error) {
	defer s.Target.Enter(mode.Repair())()
	if s.Before != nil {
		if err := RollBackUnfinished(ctx, hard, *s.Before); err != nil {
			return false, err
		}
	}
	all, err := s.Journals(ctx)
	if err != nil {
		return false, err
	}
	for _, j := range slices.Backward(all) {
		if !j.Unfinished() {
			continue
		}
		found = true
		name := s.Title
		if name == "" {
			name = j.UnfinishedCommand()
		}
		s.note(fmt.Sprintf("an earlier %s did not finish: rolling it back first", name))
		if j.NeedsDockerHost() {
			if err := s.bringUpForRollback(ctx, hard); err != nil {
				return found, Cause(ctx, err)
			}
		}
		if _, err := s.revert(ctx, j, journal.RolledBack); err != nil {
			return found, &RollbackError{Err: errors.New("an earlier run did not finish"), Left: err, Machine: s.Machine, Journal: j.Path}
		}
	}
	return found, nil
}
