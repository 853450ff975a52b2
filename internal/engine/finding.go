package engine

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

// Weight helps to decide which finding is the cause of a report.
type Weight int

const (
	// Plain is the weight of most findings. Of those with the worst status, the first is the cause.
	Plain Weight = iota
	// Aside is the weight of a finding that is never the cause: acting on it alone repairs nothing.
	Aside
	// Outranks is the weight of a finding that is the cause whatever else is wrong. No other
	// layer's failure hides it.
	Outranks
)

// Finding is something that an inspection found.
type Finding struct {
	// Code is stable. It is the layer's name, a dot, and what is wrong: "route.hijacked".
	// docs/troubleshooting.md has a heading for each.
	Code   string `json:"code"`
	Status Status `json:"status"`
	// Title states the fact in the present tense, including the evidence.
	Title string `json:"title"`
	// Hint is what the user can do; empty if there is nothing to do.
	Hint   hint.Hint `json:"hint"`
	Weight Weight    `json:"-"`
	// Elsewhere means that docker in the calling shell uses another docker host than the inspected
	// one.
	Elsewhere bool `json:"-"`
	// Demanded means that the user asked for something that is not possible. Such a finding stays a
	// failure even if docker works.
	Demanded bool `json:"-"`
}

// Definition is a row of a layer's table of findings: a Finding whose Title is a format string for
// the evidence.
type Definition Finding

// Table is all findings of a layer. A code has several rows if its evidence has several forms.
type Table []Definition

// Add adds a row, and returns it.
func (t *Table) Add(d Definition) Definition {
	*t = append(*t, d)
	return d
}

// OK adds a row for something that is fine.
func (t *Table) OK(code, title string) Definition {
	return t.Add(Definition{Code: code, Status: OK, Title: title})
}

// Warn adds a row for something that does not keep docker from working.
func (t *Table) Warn(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Title: title, Hint: h})
}

// Aside adds a row for a warning that is never the cause.
func (t *Table) Aside(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Weight: Aside, Title: title, Hint: h})
}

// Elsewhere adds a row for the calling shell's docker, which uses another docker host than the
// inspected one.
func (t *Table) Elsewhere(code, title string, w Weight) Definition {
	return t.Add(Definition{Code: code, Status: Warn, Weight: w, Title: title, Elsewhere: true})
}

// Unknown adds a row for something that could not be found out.
func (t *Table) Unknown(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Unknown, Title: title, Hint: h})
}

// Fail adds a row for something that keeps docker from working, or a repair from succeeding.
func (t *Table) Fail(code, title string, h hint.Hint) Definition {
	return t.Add(Definition{Code: code, Status: Fail, Title: title, Hint: h})
}

// Found returns the finding, with the evidence in its title.
func (d Definition) Found(evidence ...any) Finding {
	if len(evidence) > 0 {
		d.Title = fmt.Sprintf(d.Title, evidence...)
	}
	return Finding(d)
}

// Advising returns the row with another hint.
func (d Definition) Advising(h hint.Hint) Definition {
	d.Hint = h
	return d
}
