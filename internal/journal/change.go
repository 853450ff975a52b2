package journal

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Change is one step of a repair. Its exported fields survive a trip through JSON, so that a later
// run can revert it if the program is killed.
type Change interface {
	About() About
	// String returns the plan: "add NAT rule …". doctor, fix --dry-run and fix's list of applied
	// changes print it.
	String() string
	// Backup reads what Revert will need. It changes nothing.
	Backup(context.Context, *target.Target) error
	Apply(context.Context, *target.Target) error
	// Revert restores what Apply changed. It is idempotent, and correct even if Apply never ran or
	// ran halfway. left has one line for each thing that it leaves as it is, because another
	// program has changed it since.
	Revert(context.Context, *target.Target) (left []string, err error)
}

// About describes a change. Only the change's fields decide about it: no I/O.
type About struct {
	// Kind identifies the kind of change in a journal.
	Kind string
	// Doing is the progress line: "adding NAT rule …".
	Doing string
	// Risk is what running programs lose when the change is applied or reverted; "" if nothing.
	// Applying it needs a confirmation. undo asks if it can.
	Risk string
	// RiskLasts means that some of what Risk names does not come back, so that undo needs a
	// confirmation, too.
	RiskLasts bool
	// RestartsDockerd means that both applying and reverting the change restart dockerd.
	RestartsDockerd bool
	// NeedsDockerHost means that Revert works on the docker host: the machine must be running and
	// allow a login.
	NeedsDockerHost bool
	// Permanent is set if the change, such as starting the VM, is never undone. It tells the user
	// so. Such a change is not journaled.
	Permanent string
	// KeepsAnswers means that no remembered answer becomes wrong by the change, so that nothing is
	// asked again after it.
	KeepsAnswers bool
}
