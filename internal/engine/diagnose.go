package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Sink receives all events, and asks the user for confirmations.
type Sink interface {
	Event(Event)
	// Confirm asks the user whether a change with this risk may be made. It returns nil if so.
	Confirm(ctx context.Context, machine, risk string) error
	// CanAsk reports whether there is a user to ask.
	CanAsk() bool
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	Inspecting EventKind = "inspecting"
	Inspected  EventKind = "inspected"
	Applying   EventKind = "applying"
	Reverting  EventKind = "reverting"
	Note       EventKind = "note"
)

// Event is something that the engine does or did. Layer, Change, Text and Report are set as its
// Kind requires.
type Event struct {
	Kind    EventKind
	Machine string
	Layer   string
	Change  Change
	Text    string
	Report  *LayerReport
}

// Diagnose inspects all layers side by side and changes nothing. What several layers need to know
// they ask the Target, which asks each question once.
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

// inspect inspects one layer. If the inspection itself fails, the layer's status is Unknown.
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
