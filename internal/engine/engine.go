// Package engine is what every command runs on: it inspects the layers between docker on the
// laptop and a container in the VM, plans what would put them right, applies
// that with a journal on disk, verifies by inspecting again, and takes
// everything back when something fails. It knows no layer and no kind of change.
package engine

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Status is how a finding, a layer or a whole report stands.
type Status string

// The statuses, mildest first. Skipped and Blocked are a layer's status only.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // not looked at, for a reason that is no fault
	Warn    Status = "warn"    // docker works all the same, or another layer decides whether it does
	Blocked Status = "blocked" // another layer explains it
	Unknown Status = "unknown" // neither good nor bad: a probe itself failed
	Fail    Status = "fail"    // keeps docker from working, or a repair from succeeding
)

func (s Status) rank() int {
	switch s {
	case OK, Skipped:
		return 0
	case Warn:
		return 1
	case Blocked:
		return 2
	case Unknown:
		return 3
	}
	return 4
}

// State is what a layer's inspection found: a plain struct of facts, marshalled
// as the report's "observed". Its methods are pure and know no mode: what a mode leaves out,
// Inspect does not fill in. Several findings may stand side by side, also with an ok;
// of those of one status the first may be the cause.
type State interface {
	Findings() []Finding
	Changes() []Change
}

// SelfBlocked is a State that could not look because of another layer.
type SelfBlocked interface {
	// BlockedBy names that layer, or is empty.
	BlockedBy() string
}

// SelfSkipped is a State that was not looked at for a reason that is no fault.
type SelfSkipped interface {
	// SkippedBecause is that reason, or empty.
	SkippedBecause() string
}

// Layer is one link between docker and dockerd.
type Layer struct {
	Name string
	// Needs are the layers whose failure explains this one's: while one of
	// them fails, this one is blocked by it and its findings are hidden.
	Needs []string
	// Local reports that inspecting a healthy machine costs no SSH login and no VBoxManage.
	Local bool
	// LaptopOnly reports that the layer's changes concern the laptop alone.
	LaptopOnly bool
	// Decides marks the one layer that decides whether all is well.
	Decides bool
	// Optional reports that a repair goes on where this layer's changes fail or do
	// not help: the next stronger one is tried, and what is wrong stays a finding.
	Optional bool
	// Ground reports that nothing above can be repaired while this layer fails and has
	// nothing to change itself: a repair ends there and touches nothing.
	Ground bool
	// Findings are all that its State can report.
	Findings Table
	Inspect  func(context.Context, *target.Target) (State, error)
}
