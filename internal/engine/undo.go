package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
)

// UndoneRun is a run that was undone. If Undo returns an error, it is about the last one.
type UndoneRun struct {
	*journal.Journal
	Left []string // what could not be restored and stays as it is
}

// Undo undoes the newest run (or all of them), and every run that did not finish.
func (s *Session) Undo(ctx context.Context, all bool) (undone []UndoneRun, err error) {
	defer s.Target.Enter(mode.Repair())()
	journals, err := s.Journals(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range ToUndo(journals, all) {
		if err := s.confirmUndo(ctx, j); err != nil {
			return undone, err
		}
		undoable := j.Undoable() // if not, all is reverted and only the journal's end is missing
		left, err := s.revert(ctx, j, journal.Undone)
		if undoable {
			undone = append(undone, UndoneRun{j, left})
		}
		if err != nil {
			return undone, &RollbackError{Err: errors.New("undo failed"), Left: err, Machine: s.Machine, Journal: j.Path}
		}
	}
	return undone, nil
}

// ToUndo returns the journals that Undo undoes, newest first. journals are in the order oldest
// first. A run whose changes are all reverted is included if only the end of its journal is
// missing.
func ToUndo(journals []*journal.Journal, all bool) (chosen []*journal.Journal) {
	undoable := 0
	for _, j := range slices.Backward(journals) {
		if !j.Unfinished() && (!j.Undoable() || undoable > 0 && !all) {
			continue
		}
		chosen = append(chosen, j)
		if j.Undoable() {
			undoable++
		}
	}
	return chosen
}

// RefusedError means that a run cannot be undone as a whole, so that none of it was undone.
type RefusedError struct {
	Err     error
	Machine string
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// confirmUndo returns nil if nothing is known to keep the run from being undone as a whole, and the
// user accepts what that costs. Only a run that finished can be refused: one that was killed, or is
// partly undone, must be brought to an end.
func (s *Session) confirmUndo(ctx context.Context, j *journal.Journal) error {
	if !s.Target.Machine.Removed && j.NeedsDockerHost() {
		if err := s.requireRunning(ctx); err != nil {
			return Cause(ctx, err)
		}
	}
	if j.End != journal.Done {
		return nil
	}
	if err := j.Reopen(ctx); err != nil {
		return &RefusedError{Err: Cause(ctx, err), Machine: s.Machine}
	}
	for _, e := range j.Entries {
		if c, ok := e.Change.(UndoChecker); ok && e.Mark != journal.Reverted {
			if err := c.CheckUndo(ctx, s.Target); err != nil {
				return &RefusedError{Err: Cause(ctx, err), Machine: s.Machine}
			}
		}
	}
	for _, e := range j.Entries {
		switch about := e.Change.About(); {
		case e.Mark == journal.Reverted || about.Risk == "":
		case about.RiskLasts || s.Sink.CanAsk():
			if err := s.Sink.Confirm(ctx, s.Machine, about.Risk); err != nil {
				return Cause(ctx, err)
			}
		default: // in a script, which has decided by calling undo
			s.note(about.Risk)
		}
	}
	return nil
}

// requireRunning returns an error if the machine's VM is off, since the run can only be undone
// while it runs.
func (s *Session) requireRunning(ctx context.Context) error {
	t := s.Target
	if t.Kind != target.Machine {
		return nil // Revert finds out whether the docker host can be reached
	}
	if t.LoadErr != nil {
		return t.LoadErr
	}
	running, err := t.VM.Running(ctx)
	if err != nil {
		return err
	}
	if !running && !t.VM.Missing(ctx) {
		return &useraction.Required{Text: fmt.Sprintf("machine %q is not running, and undo has to log in to it", t.Machine.Name), Hint: t.StartHint(ctx)}
	}
	return nil
}
