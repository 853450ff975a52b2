package stack

import (
	"context"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// Apply makes changes that no inspection planned, in their order and with a
// journal. On a failure all of them are taken back, as in Fix.
func Apply(ctx, hard context.Context, w *world.World, changes []world.Change, j *Journal, sink Sink) (Result, error) {
	res := Result{}
	var err error
	for _, c := range changes {
		if _, err = apply(ctx, w, j, c, sink); err != nil {
			err = fmt.Errorf("%s: %w", c, err)
			break
		}
		res.Applied = append(res.Applied, c.String())
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return finished(ctx, hard, w, j, sink, res, err)
}

// finished ends a run: it closes the journal, or rolls the run back. A run whose end
// cannot be written down is rolled back too: the next run would take it for a killed one.
func finished(ctx, hard context.Context, w *world.World, j *Journal, sink Sink, res Result, err error) (Result, error) {
	if err == nil {
		err = j.Close(ctx, Done)
	}
	if err == nil {
		res.Journal = j.path()
		return res, nil
	}
	if len(j.Entries) == 0 {
		return res, err
	}
	back, cancel := context.WithTimeout(hard, rollbackTime)
	defer cancel()
	w.Forget()
	w.CheckSSH(back)
	left, undoErr := j.Revert(back, w, RolledBack, sink)
	res.RolledBack, res.Left, res.Journal = undoErr == nil, left, j.path()
	if undoErr != nil {
		return res, &RollbackError{Err: err, Left: undoErr, Machine: j.Machine, Journal: j.Path}
	}
	return res, err
}
