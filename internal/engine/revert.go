package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
)

// revertLast reverts c, the newest change, whose Apply has failed.
func (r *run) revertLast(ctx context.Context, c Change) error {
	j := r.journal
	if len(j.Entries) == 0 || j.Entries[len(j.Entries)-1].Change != c {
		return nil // its backup failed: it was not even begun
	}
	e := j.Entries[len(j.Entries)-1]
	if _, err := c.Revert(ctx, r.Target); err != nil {
		return err
	}
	r.Target.Forget()
	return j.Update(ctx, e.Seq, journal.Reverted)
}

// revert undoes a run's changes, newest first, and writes down each one that is. left names
// what had to stay. It goes on after an error, so that as much as possible is as before; the
// errors name what is not.
func (s *Session) revert(ctx context.Context, j *journal.Journal, end journal.End) (left []string, err error) {
	t := s.Target
	if err := j.Reopen(ctx); err != nil {
		return nil, err
	}
	if j.End == journal.Done {
		if err := j.Close(ctx, journal.Undoing); err != nil {
			return nil, err
		}
	}
	var failed []error
	for i := len(j.Entries) - 1; i >= 0; i-- {
		e := j.Entries[i]
		if e.Mark == journal.Reverted {
			continue
		}
		s.Sink.Event(Event{Kind: Reverting, Machine: t.Name(), Change: e.Change})
		kept, err := e.Change.Revert(ctx, t)
		t.Forget()
		left = append(left, kept...)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", strings.TrimSpace(e.Change.String()), err))
			continue
		}
		if err := j.Update(ctx, e.Seq, journal.Reverted); err != nil {
			failed = append(failed, err)
		}
	}
	for _, l := range left {
		s.note("left as it is: " + l)
	}
	if len(failed) > 0 {
		return left, errors.Join(failed...)
	}
	return left, j.Close(ctx, end)
}

// Cause returns err, or the reason why ctx was cancelled if it was: errors after that are its
// consequence. An incomplete rollback is returned all the same.
func Cause(ctx context.Context, err error) error {
	var rollback *RollbackError
	if err != nil && ctx.Err() != nil && !errors.As(err, &rollback) {
		return context.Cause(ctx)
	}
	return err
}

func (w Job) note(text string) { w.Sink.Event(Event{Kind: Note, Machine: w.Machine, Text: text}) }
