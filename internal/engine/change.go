package engine

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Change is one thing that a repair does. It is defined where a journal records it.
type Change = journal.Change

// About describes a change.
type About = journal.About

// Escalating is a Change that has a stronger alternative, for when inspecting
// again shows that it did not help.
type Escalating interface{ Next() Change }

// UndoChecker is a Change that finds out beforehand why it could not be undone now, so
// that nothing else is either. After CheckUndo, About().Risk is what undoing it costs.
type UndoChecker interface {
	CheckUndo(context.Context, *target.Target) error
}
