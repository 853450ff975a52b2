package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
)

// rollbackTime is how long a rollback may take. The first Ctrl-C starts a rollback; a second one
// ends it, and leaves the journal for undo.
const rollbackTime = 60 * time.Second

// run is one run of a session, with the journal of its changes.
type run struct {
	*Session
	journal *journal.Journal
	applied []string // the changes, as their String() describes them
}

// newRun prepares a run. The file of its journal is created with the first change.
func (s *Session) newRun() *run {
	head := journal.Header{Command: s.Command, Machine: s.Machine, Store: s.Store, Started: s.Now()}
	return &run{Session: s, journal: journal.New(s.Laptop, journal.Dir(s.Dir), head)}
}

func (r *run) event(e Event) {
	e.Machine = r.Target.Name()
	r.Sink.Event(e)
}

// bringUp repairs the layers in their order. It applies the changes that a layer plans and inspects
// it again, until it plans no more.
func (r *run) bringUp(ctx context.Context, layers []Layer) error {
	for _, l := range layers {
		var tried []attempt
		for {
			r.event(Event{Kind: Inspecting, Layer: l.Name})
			found := inspect(ctx, r.Target, l)
			r.event(Event{Kind: Inspected, Layer: l.Name, Report: &found})
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if len(found.changes) == 0 {
				if f, ok := found.unrepairable(); ok {
					return &VerdictError{Finding: f, Status: Fail}
				}
				break
			}
			next, err := r.applyPlan(ctx, l, found.changes, tried)
			if err != nil {
				return err
			}
			if len(next) == len(tried) {
				break // the layer is optional, and there is nothing left to try
			}
			tried = next
		}
	}
	return nil
}

// applyPlan applies the changes that one inspection planned. It returns all attempts on the layer
// so far.
func (r *run) applyPlan(ctx context.Context, l Layer, planned []Change, tried []attempt) ([]attempt, error) {
	for _, p := range planned {
		c, err := choose(p, tried)
		if err != nil && l.Optional {
			r.event(Event{Kind: Note, Layer: l.Name, Text: err.Error()})
			continue
		}
		if err != nil {
			return tried, err
		}
		plan := c.String()
		begun, err := r.apply(ctx, c)
		tried = append(tried, attempt{c, plan, begun})
		if err == nil {
			continue
		}
		var required *useraction.Required
		if !l.Optional || ctx.Err() != nil || errors.Is(err, host.ErrNoSudo) || l.Decides && errors.As(err, &required) {
			return tried, err
		}
		text := fmt.Sprintf("%s: %v", c, err)
		if errors.As(err, &required) && len(required.Hint) > 0 {
			text += "; " + required.Hint.String()
		}
		r.event(Event{Kind: Note, Layer: l.Name, Text: text})
		if err := r.revertLast(ctx, c); err != nil {
			return tried, err
		}
	}
	return tried, nil
}

// apply makes one change, after recording it in the journal. If begun is false, nothing can have
// changed.
func (r *run) apply(ctx context.Context, c Change) (begun bool, err error) {
	about := c.About()
	if about.Risk != "" {
		if err := r.Sink.Confirm(ctx, r.Machine, about.Risk); err != nil {
			return false, err
		}
	}
	if about.Permanent != "" {
		return true, r.applyPermanent(ctx, c)
	}
	// If Backup or the journal fails, the change is neither begun nor announced. The announcement
	// may need what Backup reads.
	if err := c.Backup(ctx, r.Target); err != nil {
		return false, err
	}
	seq, err := r.journal.Plan(ctx, c)
	if err != nil {
		return false, err
	}
	r.event(Event{Kind: Applying, Change: c})
	err = c.Apply(ctx, r.Target)
	if !about.KeepsAnswers || err != nil {
		r.Target.Forget()
	}
	if err != nil {
		return true, err
	}
	if err := r.journal.Update(ctx, seq, journal.Applied); err != nil {
		return true, err
	}
	r.done(c)
	return true, nil
}

// applyPermanent makes a change that is never undone, and therefore not in the journal.
func (r *run) applyPermanent(ctx context.Context, c Change) error {
	r.event(Event{Kind: Applying, Change: c})
	err := c.Apply(ctx, r.Target)
	r.Target.Forget()
	if err != nil {
		return err
	}
	r.event(Event{Kind: Note, Text: c.About().Permanent})
	r.done(c)
	return nil
}

func (r *run) done(c Change) {
	r.applied = append(r.applied, c.String())
	r.Target.Applied = append(r.Target.Applied, c.About().Kind)
}

// finish closes the journal, or rolls the run back if err is set. It also rolls back if the journal
// cannot be closed: the next run would take this one for a killed one.
func (r *run) finish(ctx, hard context.Context, err error) (Result, error) {
	j := r.journal
	if err == nil {
		err = j.Close(ctx, journal.Done)
	}
	res := Result{Applied: r.applied, Journal: j.File()}
	if len(j.Entries) == 0 && len(r.applied) == 0 {
		err = unchanged(err)
	}
	if err == nil || len(j.Entries) == 0 {
		return res, Cause(ctx, err)
	}
	back, cancel := context.WithTimeout(hard, rollbackTime)
	defer cancel()
	if ctx.Err() != nil { // a user who has pressed Ctrl-C must not press it again
		r.note("stopped: rolling back, up to a minute")
	}
	r.Target.Forget()
	r.Target.PrepareRollback(back)
	left, undoErr := r.revert(back, j, journal.RolledBack)
	res.RolledBack, res.Left = undoErr == nil, left
	switch {
	case undoErr != nil:
		return res, &RollbackError{Err: err, Left: undoErr, Machine: r.Machine, Journal: j.Path}
	case len(left) > 0:
		r.note("rolled back, except for what is left as it is")
	default:
		r.note("rolled back: everything is as before")
	}
	return res, Cause(ctx, err)
}

// unchanged adds to a file's error, such as that of a read-only state directory, that nothing was
// changed.
func unchanged(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	return err
}
