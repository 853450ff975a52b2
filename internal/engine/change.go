package engine

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Change is one step of a repair. See journal.Change.
type Change = journal.Change

// About describes a change.
type About = journal.About

// Escalating is a Change that may have a stronger alternative. Next returns it, or nil. It is tried
// if a new inspection shows that the Change did not help.
type Escalating interface{ Next() Change }

// UndoChecker is a Change that can find out beforehand whether it can be undone now. If CheckUndo
// returns an error, the whole run is left as it is. After CheckUndo, About().Risk is what undoing
// costs.
type UndoChecker interface {
	CheckUndo(context.Context, *target.Target) error
}
