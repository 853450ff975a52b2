package ui

import (
	"context"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// ErrRefused means that the user answered no at a prompt.
var ErrRefused = errors.New("not confirmed")

// NeedsYes is the error that a change needs confirmation and there is no terminal to ask on.
type NeedsYes struct{ Risk string }

func (e *NeedsYes) Error() string { return e.Risk + ": confirmation required; use --yes" }

// Sink shows the engine's progress and asks for confirmation. Yes answers yes to all questions.
type Sink struct {
	*UI
	Yes bool
}

// Event implements engine.Sink.
func (s Sink) Event(e engine.Event) {
	s.follow(e)
	if e.Kind == engine.Applying || e.Kind == engine.Reverting {
		s.setChanged()
	}
	switch e.Kind {
	case engine.Applying:
		s.Say("[%s] %s", e.Machine, e.Change.About().Doing)
	case engine.Reverting:
		s.Say("[%s] undoing: %s", e.Machine, e.Change)
	case engine.Note:
		if e.Machine == "" {
			s.Say("%s", e.Text)
		} else {
			s.Say("[%s] %s", e.Machine, e.Text)
		}
	case engine.Inspecting:
		s.Debug("[%s] inspecting %s", e.Machine, e.Layer)
	case engine.Inspected:
		for _, f := range e.Report.Findings {
			s.Debug("[%s] %s: %s %s: %s", e.Machine, e.Layer, f.Status, f.Code, f.Title)
		}
	}
}

// CanAsk implements engine.Sink.
func (s Sink) CanAsk() bool { return s.Yes || s.CanPrompt() }

// Confirm implements engine.Sink. machine is "" if no machine is concerned.
func (s Sink) Confirm(ctx context.Context, machine, risk string) error {
	of := ""
	if machine != "" {
		of = "[" + machine + "] "
	}
	switch {
	case s.Yes:
		s.Say("%s", of+risk)
		return nil
	case !s.CanPrompt():
		return &NeedsYes{Risk: risk}
	case s.Ask(ctx, of+risk+". Continue?"):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return ErrRefused
}

// follow updates the spinner: it shows the layers that are being inspected, or the change that is
// being made.
func (s Sink) follow(e engine.Event) {
	change := func(st step) bool { return st.machine == e.Machine && st.change }
	switch e.Kind {
	case engine.Applying, engine.Reverting:
		s.finish(change)
		what := e.Change.String()
		if e.Kind == engine.Applying {
			what = e.Change.About().Doing
		}
		s.begin(step{machine: e.Machine, what: what, change: true})
	case engine.Inspecting:
		s.finish(change)
		s.begin(step{machine: e.Machine, what: e.Layer})
	case engine.Inspected:
		s.finish(func(st step) bool { return st.machine == e.Machine && st.what == e.Layer })
	}
}
