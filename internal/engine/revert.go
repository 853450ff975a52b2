package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// revertFailed reverts c, the newest change, which was not finished.
func (j *Journal) revertFailed(ctx context.Context, w *target.Target, c Change) error {
	if len(j.Entries) == 0 || j.Entries[len(j.Entries)-1].Change != c {
		return nil // its backup failed: it was not even begun
	}
	e := j.Entries[len(j.Entries)-1]
	if _, err := c.Revert(ctx, w); err != nil {
		return err
	}
	w.Forget()
	return j.Update(ctx, e.Seq, Reverted)
}

// Revert undoes the journal's changes, newest first, and writes down each
// one that is. It goes on after an error, so that as much as possible is as
// before; the errors name what is left.
func (j *Journal) Revert(ctx context.Context, w *target.Target, end End, sink Sink) (left []string, err error) {
	if err := errors.Join(j.releaseSpace(ctx), j.cutTornLine(ctx)); err != nil {
		return nil, err
	}
	if j.End == Done {
		if err := j.Close(ctx, Undoing); err != nil {
			return nil, err
		}
	}
	var failed []error
	for i := len(j.Entries) - 1; i >= 0; i-- {
		e := j.Entries[i]
		if e.Mark == Reverted {
			continue
		}
		sink.Event(Event{Kind: Reverting, Machine: w.Name(), Change: e.Change})
		kept, err := e.Change.Revert(ctx, w)
		w.Forget()
		left = append(left, kept...)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", strings.TrimSpace(e.Change.String()), err))
			continue
		}
		if err := j.Update(ctx, e.Seq, Reverted); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return left, errors.Join(failed...)
	}
	return left, j.Close(ctx, end)
}
