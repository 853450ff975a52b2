package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
)

// revertLast reverts c, the newest change, whose Apply failed.
func (r *run) revertLast(ctx context.Context, c Change) error {
	j := r.journal
	if len(j.Entries) == 0 || j.Entries[len(j.Entries)-1].Change != c {
		return nil // its Backup failed, so nothing has changed
	}
	e := j.Entries[len(j.Entries)-1]
	if _, err := c.Revert(ctx, r.Target); err != nil {
		return err
	}
	r.Target.Forget()
	return j.Update(ctx, e.Seq, journal.Reverted)
}

// revert reverts the changes of a run, newest first, and records each in the journal. left
// describes what could not be restored and stays as it is. After an error it continues, so that as
// much as possible is restored; err names what is not. If all is reverted, it ends the journal with
// end.
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

// Cause returns err or, if ctx was cancelled, the reason of that: what failed after that failed
// because of it. An incomplete rollback is returned in any case.
func Cause(ctx context.Context, err error) error {
	var rollback *RollbackError
	if err != nil && ctx.Err() != nil && !errors.As(err, &rollback) {
		return context.Cause(ctx)
	}
	return err
}

func (job Job) note(text string) { job.Sink.Event(Event{Kind: Note, Machine: job.Machine, Text: text}) }
