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

// rollbackTime is how long a rollback may last. Ctrl-C cannot shorten it; a second
// one gives up and leaves the journal.
const rollbackTime = 60 * time.Second

// run is one run of a session: what it has changed, and the journal of that.
type run struct {
	*Session
	journal *journal.Journal
	applied []string
}

// newRun is the one place that makes a new journal; its file comes with the first change.
func (s *Session) newRun() *run {
	head := journal.Header{Command: s.Command, Machine: s.Machine, Store: s.Store, Started: s.Now()}
	return &run{Session: s, journal: journal.New(s.Laptop, journal.Dir(s.Dir), head)}
}

func (r *run) event(e Event) {
	e.Machine = r.Target.Name()
	r.Sink.Event(e)
}

// bringUp applies what each layer plans, until it plans nothing more.
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
				if f, ok := found.hopeless(); ok {
					return &VerdictError{Finding: f, Status: Fail}
				}
				break
			}
			next, err := r.applyPlan(ctx, l, found.changes, tried)
			if err != nil {
				return err
			}
			if len(next) == len(tried) {
				break // optional, and nothing is left to try
			}
			tried = next
		}
	}
	return nil
}

// applyPlan applies what one inspection planned, and returns all that has been
// tried by now.
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

// apply makes one change, which is in the journal before. begun is false where
// nothing can have changed.
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
	// What Backup or the journal refuses is never begun, nor announced. What Backup finds
	// belongs to the announcement.
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

// finish ends the run: it closes the journal, or rolls back because of err. A run whose
// end cannot be written down is rolled back too: the next one would take it for a killed one.
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

// unchanged completes the error of a file, such as a state directory that cannot be
// written, that came before the first change.
func unchanged(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	return err
}
