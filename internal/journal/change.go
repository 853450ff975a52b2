package journal

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Change is one thing that a repair does. Its exported fields survive a trip
// through JSON, so that a journal on disk can revert it after the program was killed.
type Change interface {
	About() About
	// String is the plan: "add NAT rule …". The same words stand in doctor's
	// changes, in fix --dry-run and in what fix lists as applied.
	String() string
	// Backup reads what Revert will need. Nothing is changed.
	Backup(context.Context, *target.Target) error
	Apply(context.Context, *target.Target) error
	// Revert is idempotent, and right also if Apply never ran or ran halfway. What it
	// had to leave, because it was changed by something else since, is returned as
	// one line a thing.
	Revert(context.Context, *target.Target) (left []string, err error)
}

// About describes a change. It follows from the change's fields, without I/O.
type About struct {
	// Kind is the name under which a journal knows the change.
	Kind string
	// Doing is the progress line: "adding NAT rule …".
	Doing string
	// Risk is what running programs lose by applying or reverting it; empty if nothing. A
	// change with a risk is applied only after a confirmation. undo asks where it can.
	Risk string
	// RiskLasts reports that some of what Risk names does not come back, so that undo needs a
	// confirmation, too.
	RiskLasts bool
	// RestartsDockerd reports that both applying and reverting it do.
	RestartsDockerd bool
	// NeedsDockerHost reports that Revert works on the docker host, so that the machine
	// must be running and allow a login.
	NeedsDockerHost bool
	// Permanent is what the user reads of a change that is not undone, such as starting
	// the VM. Such a change is not journaled.
	Permanent string
	// KeepsAnswers reports that the change makes no remembered answer wrong, so that nothing is
	// asked again after it.
	KeepsAnswers bool
}
