package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

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
	Left    error // what could not be undone
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
// inspect again. On any failure it rolls back, newest first. hard ends the
// rollback itself before its time.
func (s *Session) Fix(ctx, hard context.Context, layers []Layer) (Result, error) {
	defer s.Target.Enter(mode.Repair())()
	r := s.newRun()
	err := r.bringUp(ctx, layers)
	var report Report
	var hopeless *VerdictError
	if err == nil || errors.As(err, &hopeless) {
		report = Diagnose(ctx, s.Target, layers, quiet{s.Sink})
		switch {
		case err == nil:
			err = verdict(report)
		case report.Verdict == OK && !report.Failed():
			err = nil // docker works without what cannot be repaired
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	res, err := r.finish(ctx, hard, err)
	res.Report = report
	return res, err
}

// Apply makes changes that no inspection planned, in their order. On a failure it rolls
// all of them back, as Fix does.
func (s *Session) Apply(ctx, hard context.Context, changes []Change) (Result, error) {
	defer s.Target.Enter(mode.Repair())()
	r := s.newRun()
	var err error
	for _, c := range changes {
		if _, err = r.apply(ctx, c); err != nil {
			err = fmt.Errorf("%s: %w", c, err)
			break
		}
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.finish(ctx, hard, err)
}

// bringUpForRollback brings up what an undo on the docker host needs, such as a VM that runs, and asks
// for no verdict. It has a journal of its own.
func (s *Session) bringUpForRollback(ctx, hard context.Context) error {
	r := s.newRun()
	err := r.bringUp(ctx, s.UpForRollback)
	var hopeless *VerdictError
	if errors.As(err, &hopeless) {
		err = nil // each change knows how much of it can be undone all the same
	}
	_, err = r.finish(ctx, hard, err)
	return err
}

// Quick inspects only what costs neither a login nor VBoxManage. If the
// verdict is ok and at most the laptop itself wants changes, it returns the
// layers that a repair needs to look at; else ok is false, and all are needed.
func Quick(ctx context.Context, t *target.Target, layers []Layer, sink Sink) (local []Layer, r Report, ok bool) {
	for _, l := range layers {
		if l.Local {
			local = append(local, l)
		}
	}
	defer t.Enter(mode.Quick())()
	r = Diagnose(ctx, t, local, sink)
	for _, l := range r.Layers {
		if len(l.changes) > 0 && !l.layer.LaptopOnly {
			return nil, r, false
		}
	}
	return local, r, r.Verdict == OK && !r.Failed()
}

// verdict is nil when the repair is verified: the deciding layer is ok and
// nothing is fail.
func verdict(r Report) error {
	if r.Verdict == OK && !r.Failed() {
		return r.stillPlanned()
	}
	if f, ok := r.CauseFinding(); ok {
		return &VerdictError{Finding: f, Status: r.Status}
	}
	return errors.New("could not tell whether the endpoint answers")
}

// stillPlanned is an error where the deciding layer still plans changes: what could not be
// found out during the repair was left out, such as the record of the endpoint.
func (r Report) stillPlanned() error {
	for _, l := range r.Layers {
		if l.layer.Decides && len(l.changes) > 0 {
			return fmt.Errorf("not done, and still needed: %s", l.changes[0])
		}
	}
	return nil
}

// quiet passes no inspection events on: the final check would repeat them all.
type quiet struct{ Sink }

func (quiet) Event(Event) {}
