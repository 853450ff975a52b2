package engine

import (
	"cmp"
	"slices"
	"time"
)

// Schema is the version of the report's JSON form. It rises when a field is removed or changes its
// meaning.
const Schema = 1

// Report is what an inspection of all layers found.
type Report struct {
	// Title is what people call the docker host; "" if Machine or Host is the name to show.
	Title string `json:"-"`

	Schema   int           `json:"schema"`
	Version  string        `json:"version"`
	Machine  string        `json:"machine"` // "" for other docker hosts
	Host     string        `json:"host"`    // HOST in its full form: "machine:default"
	Status   Status        `json:"status"`
	Endpoint string        `json:"endpoint"`
	Cause    string        `json:"cause"`
	Layers   []LayerReport `json:"layers"`
	// Verdict is the status of the layer that decides whether docker works; OK if that layer only
	// has warnings.
	Verdict Status `json:"-"`
	// EndpointNow is where docker can reach dockerd now, or could if nothing were wrong; "" if
	// there is no such endpoint. Unlike Endpoint, it is never one that a repair has yet to create.
	EndpointNow string `json:"-"`
}

// LayerReport is one layer of a Report.
type LayerReport struct {
	Layer     string    `json:"layer"`
	Status    Status    `json:"status"`
	BlockedBy string    `json:"blocked_by,omitempty"`
	Skipped   string    `json:"skipped,omitempty"` // why it was not inspected; "" if it was
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

// Name returns the docker host's name as users write it.
func (r Report) Name() string { return cmp.Or(r.Title, r.Machine, r.Host) }

// Failed reports whether anything fails.
func (r Report) Failed() bool { return r.Status == Fail }

// CauseFinding returns the finding whose code is Cause; ok is false if there is none.
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

// Elsewhere reports whether dockerd works but docker in the calling shell uses another docker host.
func (r Report) Elsewhere() bool {
	return r.Verdict == OK && slices.ContainsFunc(r.Layers, func(l LayerReport) bool {
		return slices.ContainsFunc(l.Findings, func(f Finding) bool { return f.Elsewhere })
	})
}

// Risks returns what running programs would lose by the planned changes.
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

// RestartsDockerd reports whether a planned change restarts dockerd.
func (r Report) RestartsDockerd() bool {
	return slices.ContainsFunc(r.Layers, func(l LayerReport) bool {
		return slices.ContainsFunc(l.changes, func(c Change) bool { return c.About().RestartsDockerd })
	})
}

// Obstacle returns the first failure that no planned change repairs and that blocks another layer.
// A repair would stop there.
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

// unrepairable returns the failure of a Foundation layer that plans no change.
func (l LayerReport) unrepairable() (f Finding, ok bool) {
	if !l.layer.Foundation || len(l.changes) > 0 {
		return f, false
	}
	for _, f := range l.Findings {
		if f.Status == Fail {
			return f, true
		}
	}
	return f, false
}

// conclude hides findings that other layers explain, turns failures that do not matter into
// warnings if docker works, and sets status and cause.
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
				r.Verdict = OK // dockerd answers
			}
		}
	}
	r.dropBlockedPlans()
	if r.Verdict == OK {
		r.soften()
	}
	r.Status = OK
	for _, l := range r.Layers {
		status := l.Status
		if status == Blocked && r.Verdict == OK {
			status = Warn // docker works without it
		}
		if status.rank() > r.Status.rank() {
			r.Status = status
		}
	}
	if f, ok := r.CauseFinding(); ok {
		r.Cause = f.Code
	}
}

// soften turns failures that do not keep docker from working into warnings.
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

// dropBlockedPlans drops the planned changes of layers that an unrepairable one blocks: a repair
// does not get that far.
func (r *Report) dropBlockedPlans() {
	for _, foundation := range r.Layers {
		if _, ok := foundation.unrepairable(); !ok {
			continue
		}
		for i := range r.Layers {
			if l := &r.Layers[i]; l.BlockedBy == foundation.Layer {
				l.Changes, l.changes = nil, nil
			}
		}
	}
}

// hide marks the layer as Blocked by another one and hides its findings. Findings that outrank stay
// visible; if there are any, they give the layer its status.
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

// worst returns the status that follows from the layer's own findings. It sets Skipped.
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

// Planned reports whether any layer plans changes.
func (r Report) Planned() bool {
	for _, l := range r.Layers {
		if len(l.Changes) > 0 {
			return true
		}
	}
	return false
}
