package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Result is what a run did.
type Result struct {
	Report
	Applied    []string // the changes, as their String() describes them
	RolledBack bool
	// Left is what the rollback could not restore and left as it is.
	Left    []string
	Journal string
}

// RollbackError means that a rollback or an undo is incomplete.
type RollbackError struct {
	Err     error // why there was a rollback
	Left    error // what could not be reverted, and why
	Machine string
	Journal string // the path of the journal that undo will resume
}

func (e *RollbackError) Error() string {
	return fmt.Sprintf("%v; and the rollback is incomplete: %v (journal %s)", e.Err, e.Left, e.Journal)
}
func (e *RollbackError) Unwrap() []error { return []error{e.Err, e.Left} }

// VerdictError means that docker does not work after a repair, or that it cannot be repaired.
type VerdictError struct {
	Finding Finding
	Status  Status
}

func (e *VerdictError) Error() string { return e.Finding.Title }

// Fix repairs the layers in their order: inspect, plan, journal, apply, and inspect again. If
// anything fails, it rolls back, newest change first. Cancelling ctx stops the repair and starts
// the rollback; cancelling hard stops the rollback.
func (s *Session) Fix(ctx, hard context.Context, layers []Layer) (Result, error) {
	defer s.Target.Enter(mode.Repair())()
	r := s.newRun()
	err := r.bringUp(ctx, layers)
	var report Report
	var unrepairable *VerdictError
	if err == nil || errors.As(err, &unrepairable) {
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

// Apply makes changes that no inspection planned, in their order. If one fails, it rolls back all
// of them, as Fix does.
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

// bringUpForRollback repairs the layers that a rollback on the docker host needs, for example by
// starting the VM. Its changes have a journal of their own. It does not check whether docker works.
func (s *Session) bringUpForRollback(ctx, hard context.Context) error {
	r := s.newRun()
	err := r.bringUp(ctx, s.UpForRollback)
	var unrepairable *VerdictError
	if errors.As(err, &unrepairable) {
		err = nil // each change knows what it can still revert
	}
	_, err = r.finish(ctx, hard, err)
	return err
}

// Quick inspects only the layers that need neither a login nor VBoxManage. ok means that docker
// works and that at most the laptop itself needs changes. Then local are the layers that a repair
// has to look at; otherwise it has to look at all of them.
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

// verdict returns nil if the repair is verified: the deciding layer is OK and no layer fails.
func verdict(r Report) error {
	if r.Verdict == OK && !r.Failed() {
		return r.stillPlanned()
	}
	if f, ok := r.CauseFinding(); ok {
		return &VerdictError{Finding: f, Status: r.Status}
	}
	return errors.New("could not tell whether the endpoint answers")
}

// stillPlanned returns an error if the deciding layer still plans a change. That happens if a
// change, such as that of the endpoint record, was left out because the repair could not find out
// something.
func (r Report) stillPlanned() error {
	for _, l := range r.Layers {
		if l.layer.Decides && len(l.changes) > 0 {
			return fmt.Errorf("not done, and still needed: %s", l.changes[0])
		}
	}
	return nil
}

// quiet drops all events: the final inspection would only repeat them.
type quiet struct{ Sink }

func (quiet) Event(Event) {}
