package engine

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

// Weight decides which of several findings is the cause of a report.
type Weight int

const (
	// Plain findings: the first in the layers' order is the cause.
	Plain Weight = iota
	// Aside: worth reporting, never the cause: acting on it alone repairs nothing.
	Aside
	// Outranks: the cause whatever else is wrong, and never hidden by another
	// layer's failure.
	Outranks
)

// Finding is one thing that an inspection found.
type Finding struct {
	// Code is stable: the layer's name, a point, and what is wrong, as "route.hijacked".
	// docs/troubleshooting.md has a heading for each.
	Code   string `json:"code"`
	Status Status `json:"status"`
	// Title states the fact in the present tense, with the evidence in it.
	Title string `json:"title"`
	// Hint is what to do. Empty where there is nothing to do.
	Hint   hint.Hint `json:"hint"`
	Weight Weight    `json:"-"`
	// Elsewhere reports that docker in the calling shell does not use what was looked at.
	Elsewhere bool `json:"-"`
	// Demanded reports that the user has asked for what cannot be had: that stays a failure
	// where docker works all the same.
	Demanded bool `json:"-"`
}

// Definition is a row of a layer's table of findings: a Finding whose Title is a format
// for the evidence.
type Definition Finding

// Table is all that a layer can report. A code has several rows where its evidence has
// several forms.
type Table []Definition

// Add adds a row, and returns it.
func (t *Table) Add(d Definition) Definition {
	*t = append(*t, d)
	return d
}

// OK adds a row about what is well.
func (t *Table) OK(code, title string) Definition {
	return t.Add(Definition{Code: code, Status: OK, Title: title})
}

// Warn adds a row about what does not keep docker from working.
func (t *Table) Warn(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Title: title, Hint: h})
}

// Aside adds a row about what is worth reporting, and never the cause.
func (t *Table) Aside(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Weight: Aside, Title: title, Hint: h})
}

// Elsewhere adds a row about a docker in the calling shell that does not use what was looked at.
func (t *Table) Elsewhere(code, title string, w Weight) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Weight: w, Title: title, Elsewhere: true})
}

// Unknown adds a row about what could not be found out.
func (t *Table) Unknown(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Unknown, Title: title, Hint: h})
}

// Fail adds a row about what keeps docker from working, or a repair.
func (t *Table) Fail(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Fail, Title: title, Hint: h})
}

// Found is the finding with its evidence in the title.
func (d Definition) Found(evidence ...any) Finding {
	if len(evidence) > 0 {
		d.Title = fmt.Sprintf(d.Title, evidence...)
	}
	return Finding(d)
}

// Advising is the row with another hint.
func (d Definition) Advising(h hint.Hint) Definition {
	d.Hint = h
	return d
}
