package engine

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Change is one thing that a repair does. Its exported fields survive a trip
// through JSON, which is how a journal on disk can take it back after the
// program was killed.
type Change interface {
	// Kind is the name under which a journal knows the change.
	Kind() string
	// String is the plan: "add NAT rule …". The same words stand in doctor's
	// changes, in fix --dry-run and in what fix says it has applied.
	String() string
	// Doing is the progress line: "adding NAT rule …".
	Doing() string
	// Risk says what running programs lose by it; empty if nothing. A change
	// with a risk is applied only after a yes.
	Risk() string
	// NeedsDockerHost reports whether Revert works on the docker host, so that the
	// machine must be running and allow a login. A journal's text decides, without I/O.
	NeedsDockerHost() bool
	// Backup reads what Revert will need. Nothing is changed.
	Backup(context.Context, *target.Target) error
	Apply(context.Context, *target.Target) error
	// Revert takes the change back. It is idempotent, and right also if Apply
	// never ran or ran halfway. What it had to leave, because somebody else has
	// changed it since, is returned as one line a thing.
	Revert(context.Context, *target.Target) (left []string, err error)
}

// Permanent is a Change that is not undone, such as starting the VM. It is
// not journaled.
type Permanent interface{ Permanent() string }

// Inert is a Change after which everything that was asked still holds: it writes
// down what is known.
type Inert interface{ Inert() }

// Escalating is a Change that has a stronger alternative, for when inspecting
// again shows that it did not help.
type Escalating interface{ Next() Change }

// Undoable is a Change that can tell beforehand why it could not be undone now, so
// that nothing else is either.
type Undoable interface {
	Change
	// Undoable looks. From then on Risk says what taking it back costs.
	Undoable(context.Context, *target.Target) error
}

// Costly is an Undoable of which taking it back, too, has a risk.
type Costly interface {
	Undoable
	// ForGood reports whether some of what Risk names does not come back.
	ForGood() bool
}
