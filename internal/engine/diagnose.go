package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Sink gets every event, and decides whether a change with a risk may be made.
type Sink interface {
	Event(Event)
	// Confirm asks whether a change with that risk may be made. Nil means yes.
	Confirm(ctx context.Context, machine, risk string) error
	// CanAsk reports whether the user can be asked.
	CanAsk() bool
}

// EventKind is the kind of an Event.
type EventKind string

// The events while the engine works.
const (
	Inspecting EventKind = "inspecting"
	Inspected  EventKind = "inspected"
	Applying   EventKind = "applying"
	Reverting  EventKind = "reverting"
	Note       EventKind = "note"
)

// Event is one step of the engine.
type Event struct {
	Kind    EventKind
	Machine string
	Layer   string
	Change  Change
	Text    string
	Report  *LayerReport
}

// Diagnose inspects every layer, side by side, and changes nothing. What the
// layers share they ask the Target, which asks the outside once.
func Diagnose(ctx context.Context, t *target.Target, layers []Layer, sink Sink) Report {
	r := Report{Schema: Schema, Machine: t.Machine.Name, Host: t.Ref.String(), Layers: make([]LayerReport, len(layers))}
	var wg sync.WaitGroup
	for i, l := range layers {
		wg.Go(func() {
			sink.Event(Event{Kind: Inspecting, Machine: t.Name(), Layer: l.Name})
			r.Layers[i] = inspect(ctx, t, l)
			sink.Event(Event{Kind: Inspected, Machine: t.Name(), Layer: l.Name, Report: &r.Layers[i]})
		})
	}
	wg.Wait()
	r.Endpoint, r.EndpointNow = t.Endpoint(ctx), t.EndpointNow(ctx)
	r.conclude()
	return r
}

// inspect runs one layer. A probe that errors is unknown, neither ok nor fail.
func inspect(ctx context.Context, t *target.Target, l Layer) LayerReport {
	r := LayerReport{Layer: l.Name, Findings: []Finding{}, layer: l}
	start := time.Now()
	state, err := l.Inspect(ctx, t)
	r.Took = time.Since(start)
	if err != nil {
		r.Status = Unknown
		r.Findings = append(r.Findings, Finding{
			Code: l.Name + ".unknown", Status: Unknown,
			Title: fmt.Sprintf("could not tell: %v (after %s)", err, time.Since(start).Round(time.Millisecond)),
			Hint:  t.Hint(hint.Own("doctor", "-v", hint.Machine)),
		})
		return r
	}
	r.Observed = state
	for _, f := range state.Findings() {
		f.Hint = t.Hint(f.Hint)
		r.Findings = append(r.Findings, f)
	}
	r.Status = r.worst()
	r.changes = state.Changes()
	for _, c := range r.changes {
		r.Changes = append(r.Changes, c.String())
	}
	return r
}
