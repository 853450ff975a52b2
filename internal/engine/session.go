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

// Job is what a session is for: a command that changes a machine, or the laptop's
// VirtualBox.
type Job struct {
	// Dir has the lock and the journals. Only one session at a time works on it.
	Dir    string
	Laptop host.Laptop
	Decode journal.Decoder
	// Open opens the machine, under the lock: as the session before has left it.
	Open func() (*target.Target, error)

	// Command, Machine and Store stand in the journals. Machine is "" where the job is
	// about no machine in particular.
	Command, Machine, Store string
	// Doing completes "waiting for another docker-vpn-helper that"; Title is what the user
	// knows the job by, "" where the journals name the command.
	Doing, Title string
	Sink         Sink
	Now          func() time.Time

	// UpForRollback are the layers that Begin brings up before it rolls an unfinished run back
	// on the docker host. Undo brings up none: it prints what the user must do.
	UpForRollback []Layer
	// Before is another job, VirtualBox's modules, whose unfinished runs are rolled back first.
	Before *Job
}

// Session is one command at work: it alone reads and writes the journals of its Job.
type Session struct {
	Job
	Target *target.Target
	unlock func()
}

// Begin takes the lock, opens the machine and rolls back what earlier runs did not
// finish: a killed run is never completed. It opens the machine again after a rollback,
// which may have changed its config.json. ctx ends that too; hard, which ends with the
// second signal, is for rollbacks of what is done meanwhile.
func Begin(ctx, hard context.Context, w Job) (*Session, error) {
	s, err := Lock(ctx, w)
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

// Lock is Begin without the rollback: for Undo, which reverts unfinished runs itself.
func Lock(ctx context.Context, w Job) (*Session, error) {
	unlock, err := w.Laptop.Lock(ctx, filepath.Join(w.Dir, "lock"), func() {
		w.note("waiting for another docker-vpn-helper that " + w.Doing)
	})
	if err != nil {
		return nil, Cause(ctx, unchanged(err))
	}
	s := &Session{Job: w, unlock: unlock}
	if s.Target, err = w.Open(); err != nil {
		unlock()
		return nil, err
	}
	return s, nil
}

// reopen opens the machine anew, over the same connections.
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

// Close ends the session's connections and gives the lock back.
func (s *Session) Close() {
	s.Target.Close()
	s.unlock()
}

// UnreadableError is a journal that cannot be read. What its run has changed is not known.
type UnreadableError struct {
	Err     error
	Machine string // "" if it is of no machine
}

func (e *UnreadableError) Error() string { return e.Err.Error() }
func (e *UnreadableError) Unwrap() error { return e.Err }

// Journals are those of all runs, oldest first, as far as they can be read.
func (w Job) Journals(ctx context.Context) ([]*journal.Journal, error) {
	all, err := journal.Read(ctx, w.Laptop, journal.Dir(w.Dir), w.Decode)
	if err != nil {
		err = &UnreadableError{Err: err, Machine: w.Machine}
	}
	return all, err
}

// RollBackUnfinished rolls back the runs of w that did not finish, if there are any, in a
// session of its own.
func RollBackUnfinished(ctx, hard context.Context, w Job) error {
	all, err := w.Journals(ctx)
	if err == nil && !slices.ContainsFunc(all, (*journal.Journal).Unfinished) {
		return nil
	}
	s, err := Lock(ctx, w)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.rollBackUnfinished(ctx, hard)
	return err
}

// rollBackUnfinished rolls back the runs that did not finish, newest first, and those of
// Before ahead of them. It may take longer than rollbackTime: what Ctrl-C cuts short, the
// next command goes on with. found reports whether the session itself had any.
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
