// Package engine inspects the layers between docker on the laptop and a container in the VM, plans
// changes that repair them, applies those with a journal on disk, and verifies them by inspecting
// again. If something fails, it rolls everything back. It knows no particular layer and no
// particular kind of change.
package engine

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Status is the status of a finding, a layer or a whole report.
type Status string

// The statuses, mildest first. Only layers can be Skipped or Blocked.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // not inspected, for a reason that is not a fault
	Warn    Status = "warn"    // docker works anyway, or another layer decides whether it does
	Blocked Status = "blocked" // another layer's failure explains it
	Unknown Status = "unknown" // neither good nor bad: the inspection itself failed
	Fail    Status = "fail"    // docker does not work, or a repair would not succeed
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

// State is what the inspection of a layer found: a plain struct of facts, which is marshalled as
// the report's "observed". Its methods are pure. They do not know the mode: Inspect leaves out what
// the mode does not ask. There may be several findings, also beside an OK; of those with the same
// status the first may become the cause.
type State interface {
	Findings() []Finding
	Changes() []Change
}

// SelfBlocked is a State that may be empty because another layer failed.
type SelfBlocked interface {
	// BlockedBy returns the name of that layer, or "".
	BlockedBy() string
}

// SelfSkipped is a State that may be empty for a reason that is not a fault.
type SelfSkipped interface {
	// SkippedBecause returns that reason, or "".
	SkippedBecause() string
}

// Layer is one link between docker and dockerd.
type Layer struct {
	Name string
	// Needs are the layers whose failure explains a failure of this one. While one of them fails,
	// this layer is Blocked by it and its findings are hidden.
	Needs []string
	// Local means that inspecting a healthy machine needs no SSH login and no VBoxManage.
	Local bool
	// LaptopOnly means that the layer's changes affect only the laptop.
	LaptopOnly bool
	// Decides marks the one layer that decides whether docker works.
	Decides bool
	// Optional means that a repair goes on if this layer's changes fail or do not help. Stronger
	// alternatives are tried first.
	Optional bool
	// Foundation means that no other layer can be repaired while this one fails and plans no change
	// itself: the repair stops there.
	Foundation bool
	// Findings are all the findings that its State can report.
	Findings Table
	Inspect  func(context.Context, *target.Target) (State, error)
}
