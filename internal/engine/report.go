package engine

import (
	"cmp"
	"slices"
	"time"
)

// Schema is the version of the report's JSON form; it rises when a field
// changes its meaning or goes.
const Schema = 1

// Report is what an inspection of all layers found.
type Report struct {
	// Title is what people call the docker host, where Machine and Host do not have it.
	Title string `json:"-"`

	Schema   int           `json:"schema"`
	Version  string        `json:"version"`
	Machine  string        `json:"machine"` // "" for a docker host that is no machine
	Host     string        `json:"host"`    // HOST in full: "machine:default"
	Status   Status        `json:"status"`
	Endpoint string        `json:"endpoint"`
	Cause    string        `json:"cause"`
	Layers   []LayerReport `json:"layers"`
	// Verdict is the status of the layer that decides whether docker works.
	Verdict Status `json:"-"`
	// EndpointNow is where docker finds dockerd, or would if nothing were wrong. Unlike
	// Endpoint it is never one that a repair has yet to make; "" if there is none.
	EndpointNow string `json:"-"`
}

// LayerReport is one layer of a Report.
type LayerReport struct {
	Layer     string    `json:"layer"`
	Status    Status    `json:"status"`
	BlockedBy string    `json:"blocked_by,omitempty"`
	Skipped   string    `json:"skipped,omitempty"` // why it was not looked at
	Findings  []Finding `json:"findings"`
	// Hidden are findings that BlockedBy explains.
	Hidden  []Finding `json:"hidden,omitempty"`
	Changes []string  `json:"changes,omitempty"`
	// Observed is the state itself, for bug reports.
	Observed State `json:"observed,omitempty"`
	// Took is how long the inspection took.
	Took time.Duration `json:"-"`

	changes []Change
	layer   Layer
}

// Name is the docker host as a user writes it.
func (r Report) Name() string { return cmp.Or(r.Title, r.Machine, r.Host) }

// Failed reports whether anything is fail.
func (r Report) Failed() bool { return r.Status == Fail }

// CauseFinding is the finding behind Cause; ok is false if there is none.
func (r Report) CauseFinding() (f Finding, ok bool) {
	best := -1
	for _, l := range r.Layers {
		for _, c := range l.Findings {
			if c.Status == OK || c.Weight == Aside {
				continue
			}
			rank := c.Status.rank()
			if c.Weight == Outranks {
				rank += 10
			}
			if rank > best {
				best, f, ok = rank, c, true
			}
		}
	}
	return f, ok
}

// Elsewhere reports whether dockerd works, and docker in the calling shell does not use it.
func (r Report) Elsewhere() bool {
	return r.Verdict == OK && slices.ContainsFunc(r.Layers, func(l LayerReport) bool {
		return slices.ContainsFunc(l.Findings, func(f Finding) bool { return f.Elsewhere })
	})
}

// Risks are what running programs would lose by the planned changes.
func (r Report) Risks() (risks []string) {
	for _, l := range r.Layers {
		for _, c := range l.changes {
			if risk := c.About().Risk; risk != "" {
				risks = append(risks, risk)
			}
		}
	}
	return risks
}

// RestartsDockerd reports whether a planned change does.
func (r Report) RestartsDockerd() bool {
	return slices.ContainsFunc(r.Layers, func(l LayerReport) bool {
		return slices.ContainsFunc(l.changes, func(c Change) bool { return c.About().RestartsDockerd })
	})
}

// Obstacle is a failure that no change cures and that keeps another layer from being
// checked. A repair would stop at that layer, so this comes first.
func (r Report) Obstacle() (f Finding, ok bool) {
	for _, l := range r.Layers {
		blocks := slices.ContainsFunc(r.Layers, func(o LayerReport) bool { return o.BlockedBy == l.Layer })
		if l.Status != Fail || !blocks || len(l.changes) > 0 {
			continue
		}
		for _, f := range l.Findings {
			if f.Status == Fail {
				return f, true
			}
		}
	}
	return f, false
}

// hopeless is the failure of a Ground layer that has nothing to change.
func (l LayerReport) hopeless() (f Finding, ok bool) {
	if !l.layer.Ground || len(l.changes) > 0 {
		return f, false
	}
	for _, f := range l.Findings {
		if f.Status == Fail {
			return f, true
		}
	}
	return f, false
}

// conclude hides what other layers explain, softens what does not matter while
// the verdict is ok, and sets status and cause.
func (r *Report) conclude() {
	root := map[string]string{} // failed or blocked layer -> the layer that explains it
	r.Verdict = Unknown
	for i := range r.Layers {
		l := &r.Layers[i]
		l.Status = l.worst()
		if b, ok := l.Observed.(SelfBlocked); ok && b.BlockedBy() != "" {
			l.hide(b.BlockedBy())
		}
		if l.Status.rank() > Warn.rank() {
			for _, need := range l.layer.Needs {
				if by, ok := root[need]; ok && by != l.Layer {
					l.hide(by)
					break
				}
			}
		}
		switch l.Status {
		case Fail:
			root[l.Layer] = l.Layer
		case Blocked:
			root[l.Layer] = l.BlockedBy
		}
		if l.layer.Decides {
			if r.Verdict = l.Status; r.Verdict == Warn {
				r.Verdict = OK // it answers
			}
		}
	}
	r.dropHopeless()
	if r.Verdict == OK {
		r.soften()
	}
	r.Status = OK
	for _, l := range r.Layers {
		status := l.Status
		if status == Blocked && r.Verdict == OK {
			status = Warn // docker does without it
		}
		if status.rank() > r.Status.rank() {
			r.Status = status
		}
	}
	if f, ok := r.CauseFinding(); ok {
		r.Cause = f.Code
	}
}

// soften makes warnings of failures that do not keep docker from working.
func (r *Report) soften() {
	for i := range r.Layers {
		l := &r.Layers[i]
		for j := range l.Findings {
			if f := &l.Findings[j]; f.Status == Fail && !f.Demanded {
				f.Status = Warn
			}
		}
		if l.Status == Fail {
			l.Status = l.worst()
		}
	}
}

// dropHopeless undoes the plans of layers that a hopeless one blocks: a
// repair does not come so far.
func (r *Report) dropHopeless() {
	for _, ground := range r.Layers {
		if _, ok := ground.hopeless(); !ok {
			continue
		}
		for i := range r.Layers {
			if l := &r.Layers[i]; l.BlockedBy == ground.Layer {
				l.Changes, l.changes = nil, nil
			}
		}
	}
}

// hide makes the layer blocked by another, unless one of its own findings
// stands whatever the other one does.
func (l *LayerReport) hide(by string) {
	keep := []Finding{}
	for _, f := range l.Findings {
		if f.Weight == Outranks {
			keep = append(keep, f)
		} else if f.Status != OK {
			l.Hidden = append(l.Hidden, f)
		}
	}
	l.Findings = keep
	if len(keep) > 0 {
		l.Status = worst(keep)
		return
	}
	l.Status, l.BlockedBy = Blocked, by
}

// worst is the status that the layer's own findings give it.
func (l *LayerReport) worst() Status {
	if s, ok := l.Observed.(SelfSkipped); ok && len(l.Findings) == 0 {
		if l.Skipped = s.SkippedBecause(); l.Skipped != "" {
			return Skipped
		}
	}
	return worst(l.Findings)
}

func worst(findings []Finding) Status {
	s := OK
	for _, f := range findings {
		if f.Status.rank() > s.rank() {
			s = f.Status
		}
	}
	return s
}

// Planned reports whether any layer wants changes.
func (r Report) Planned() bool {
	for _, l := range r.Layers {
		if len(l.Changes) > 0 {
			return true
		}
	}
	return false
}
