package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// rollbackTime is how long taking everything back may last. Ctrl-C cannot
// shorten it; a second one gives up and leaves the journal.
const rollbackTime = 60 * time.Second

// Result is what a repair did.
type Result struct {
	Report
	Applied    []string
	RolledBack bool
	// Left is what a rollback or an undo had to leave as it is.
	Left    []string
	Journal string
}

// RollbackError is a rollback that could not finish.
type RollbackError struct {
	Err     error // why the repair failed
	Left    error // what could not be taken back
	Machine string
	Journal string // what undo will resume
}

func (e *RollbackError) Error() string {
	return fmt.Sprintf("%v; and the rollback is incomplete: %v (journal %s)", e.Err, e.Left, e.Journal)
}
func (e *RollbackError) Unwrap() []error { return []error{e.Err, e.Left} }

// VerdictError is a repair after which the endpoint still does not answer.
type VerdictError struct {
	Finding Finding
	Status  Status
}

func (e *VerdictError) Error() string { return e.Finding.Title }

// Fix brings up the layers in their order: inspect, plan, journal, apply, and
// inspect again. On any failure it reverts, newest first. hard ends the
// rollback itself before its time.
func Fix(ctx, hard context.Context, w *world.World, layers []Layer, j *Journal, sink Sink) (Result, error) {
	res := Result{}
	err := climb(ctx, w, layers, j, sink, &res)
	var hopeless *VerdictError
	if err == nil || errors.As(err, &hopeless) {
		res.Report = Diagnose(ctx, w, layers, quiet{sink})
		if err == nil {
			err = verdict(res.Report)
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return finished(ctx, hard, w, j, sink, res, err)
}

// Frugal inspects only what costs neither a login nor VBoxManage. If the
// verdict is ok and at most the laptop itself wants changes, it returns the
// layers that a repair needs to look at; else ok is false, and all are needed.
func Frugal(ctx context.Context, w *world.World, layers []Layer, sink Sink) (local []Layer, r Report, ok bool) {
	for _, l := range layers {
		if l.Local {
			local = append(local, l)
		}
	}
	w.Frugal = true
	r = Diagnose(ctx, w, local, sink)
	for _, l := range r.Layers {
		if len(l.changes) > 0 && !l.layer.LaptopOnly {
			w.Frugal = false
			return nil, r, false
		}
	}
	if ok = r.Verdict() == OK && !r.Failed(); !ok {
		w.Frugal = false
	}
	return local, r, ok
}

// Raise brings up the layers given and asks for no verdict: what undoing another run
// needs, such as a VM that runs. It is a run of its own, with a journal that ends.
func Raise(ctx, hard context.Context, w *world.World, layers []Layer, j *Journal, sink Sink) error {
	res := Result{}
	err := climb(ctx, w, layers, j, sink, &res)
	var hopeless *VerdictError
	if errors.As(err, &hopeless) {
		err = nil // each change knows how much of it can be undone all the same
	}
	_, err = finished(ctx, hard, w, j, sink, res, err)
	return err
}

// climb applies what each layer plans, until it plans nothing more.
func climb(ctx context.Context, w *world.World, layers []Layer, j *Journal, sink Sink, res *Result) error {
	for _, l := range layers {
		var tried []attempt
		for {
			sink.Event(Event{Kind: Inspecting, Machine: w.Name(), Layer: l.Name})
			r := inspect(ctx, w, l)
			sink.Event(Event{Kind: Inspected, Machine: w.Name(), Layer: l.Name, Report: &r})
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if len(r.changes) == 0 {
				if f, ok := r.hopeless(); ok {
					return &VerdictError{Finding: f, Status: Fail}
				}
				break
			}
			next, err := applyAll(ctx, w, l, j, r.changes, tried, sink, res)
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

// applyAll applies what one inspection planned, and returns all that has been
// tried by now.
func applyAll(ctx context.Context, w *world.World, l Layer, j *Journal, planned []world.Change, tried []attempt, sink Sink, res *Result) ([]attempt, error) {
	for _, p := range planned {
		c, err := choose(p, tried)
		if err != nil && l.Optional {
			sink.Event(Event{Kind: Note, Machine: w.Name(), Layer: l.Name, Text: err.Error()})
			continue
		}
		if err != nil {
			return tried, err
		}
		plan := c.String()
		begun, err := apply(ctx, w, j, c, sink)
		tried = append(tried, attempt{c, plan, begun})
		if err == nil {
			res.Applied = append(res.Applied, c.String())
			continue
		}
		var required *useraction.Required
		if !l.Optional || ctx.Err() != nil || errors.Is(err, host.ErrNoSudo) || l.Verdict && errors.As(err, &required) {
			return tried, err
		}
		text := fmt.Sprintf("%s: %v", c, err)
		if errors.As(err, &required) && required.Hint != "" {
			text += "; " + required.Hint
		}
		sink.Event(Event{Kind: Note, Machine: w.Name(), Layer: l.Name, Text: text})
		if err := j.takeBack(ctx, w, c); err != nil {
			return tried, err
		}
	}
	return tried, nil
}

// attempt is a change that was tried, and its plan in words: a change learns
// more while it is applied, such as which port was free in the end.
type attempt struct {
	world.Change
	plan  string
	begun bool
}

// maxAttempts bounds how often one kind of change is tried on one layer, each
// time with another plan.
const maxAttempts = 5

// choose is the planned change if it has not been tried yet, else the first of
// its stronger alternatives that has not.
func choose(planned world.Change, tried []attempt) (world.Change, error) {
	c := planned
	for {
		before, kind := -1, 0
		for i, t := range tried {
			if t.Kind() != c.Kind() {
				continue
			}
			kind++
			if t.plan == c.String() {
				before = i
			}
		}
		if before < 0 && kind < maxAttempts {
			return c, nil
		}
		if before >= 0 && !tried[before].begun { // its alternative is for where it did not help
			return nil, fmt.Errorf("%s: not begun, and still needed", c)
		}
		var e world.Escalating
		if before >= 0 { // what was tried may know better than what was planned again
			e, _ = tried[before].Change.(world.Escalating)
		}
		if e == nil || e.Next() == nil {
			return nil, fmt.Errorf("%s: done, and still needed", c)
		}
		c = e.Next()
	}
}

func apply(ctx context.Context, w *world.World, j *Journal, c world.Change, sink Sink) (begun bool, err error) {
	if c.Risk() != "" {
		if err := sink.Confirm(ctx, c); err != nil {
			return false, err
		}
	}
	applying := func() { sink.Event(Event{Kind: Applying, Machine: w.Name(), Change: c}) }
	if p, ok := c.(world.Permanent); ok {
		applying()
		err := c.Apply(ctx, w)
		w.Forget()
		if err == nil {
			sink.Event(Event{Kind: Note, Machine: w.Name(), Text: p.Permanent()})
		}
		return true, err
	}
	// What Backup refuses was never begun, and what it finds belongs to the news.
	if err := c.Backup(ctx, w); err != nil {
		return false, err
	}
	applying()
	seq, err := j.Plan(ctx, c)
	if err != nil {
		return false, err
	}
	err = c.Apply(ctx, w)
	if _, inert := c.(world.Inert); !inert || err != nil {
		w.Forget()
	}
	if err != nil {
		return true, err
	}
	return true, j.Update(ctx, seq, Applied)
}

// verdict is nil when the repair is proved: the deciding layer is ok and
// nothing is fail.
func verdict(r Report) error {
	if r.Verdict() == OK && !r.Failed() {
		return r.unproved()
	}
	if f, ok := r.CauseFinding(); ok {
		return &VerdictError{Finding: f, Status: r.Status}
	}
	return errors.New("could not tell whether the endpoint answers")
}

// unproved is an error where the deciding layer still wants changes: what it could
// not tell while the repair climbed was left out, such as the record of the endpoint.
func (r Report) unproved() error {
	for _, l := range r.Layers {
		if l.layer.Verdict && len(l.changes) > 0 {
			return fmt.Errorf("not done, and still needed: %s", l.changes[0])
		}
	}
	return nil
}

func (j *Journal) path() string {
	if len(j.Entries) == 0 {
		return ""
	}
	return j.Path
}

// Undoable is nil if nothing is known to keep a journal's run from being taken back as
// a whole.
func Undoable(ctx context.Context, w *world.World, j *Journal) error {
	for _, e := range j.Entries {
		if c, ok := e.Change.(world.Undoable); ok && e.Mark != Reverted {
			if err := c.Undoable(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// Undo takes back what a journal's run changed.
func Undo(ctx context.Context, w *world.World, j *Journal, sink Sink) (left []string, err error) {
	left, err = j.Revert(ctx, w, Undone, sink)
	if err != nil {
		return left, &RollbackError{Err: errors.New("undo failed"), Left: err, Machine: w.Machine.Name, Journal: j.Path}
	}
	return left, nil
}

// quiet passes no inspection events on: the final check would repeat them all.
type quiet struct{ Sink }

func (quiet) Event(Event) {}
