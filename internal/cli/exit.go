package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// jsonFailure is the form of any failure with --json.
type jsonFailure struct {
	Schema  int        `json:"schema"`
	Error   *jsonError `json:"error"`
	Changes []string   `json:"changes,omitempty"`
}

// report prints an error and returns its exit code.
func (a *app) report(err error) int {
	e := a.failure(err)
	if !e.shown && a.ui.JSON {
		_ = a.ui.PrintJSON(jsonFailure{Schema: engine.Schema, Error: e.json(), Changes: e.changes})
	}
	if errors.Is(err, ui.ErrRefused) && !a.ui.JSON {
		a.ui.Say("%s", e.message) // the user said no, which is not an error
	} else if !e.shown && !a.ui.JSON {
		a.ui.Error(e.message, a.inShell(e.hint))
	}
	return e.code
}

// failure returns an error with its exit code, and with a hint that can be pasted on this laptop.
func (a *app) failure(err error) *exitError {
	e := a.classify(err)
	if e.code == exitUsage && len(e.hint) == 0 {
		e.hint = a.helpOf(a.cmd)
	}
	e.hint = a.installed(e.hint).For(a.storage, "")
	return e
}

// doctorHere returns the command that diagnoses the docker host on which this command works.
func (a *app) doctorHere() hint.Hint {
	if a.on.Kind == "" {
		return hint.Own("doctor")
	}
	return hint.Own("doctor", a.on.Arg())
}

// classify turns any error into one with an exit code.
func (a *app) classify(err error) *exitError {
	var known *exitError
	if errors.As(err, &known) {
		return known
	}
	out := &exitError{}
	for _, of := range []func(error) *exitError{a.endedRun, a.wrongUsage, a.userAction, a.failedRepair} {
		if e := of(err); e != nil {
			out = e
			break
		}
	}
	out.code, out.message = cmp.Or(out.code, exitProblems), cmp.Or(out.message, err.Error())
	return out
}

// endedRun handles a run that was interrupted, and an earlier run that prevents this one. It
// returns nil for other errors.
func (a *app) endedRun(err error) *exitError {
	var (
		refused  *engine.RefusedError
		unread   *engine.UnreadableError
		rollback *engine.RollbackError
	)
	switch {
	case errors.As(err, &refused):
		inner := a.classify(refused.Err)
		next := inner.hint
		switch {
		case len(next) > 0:
		case refused.Machine == "":
			next = hint.Own("doctor")
		default:
			next = hint.Own("doctor", refused.Machine)
		}
		return &exitError{code: inner.code, message: "nothing was undone: " + inner.message, hint: next}
	case errors.As(err, &unread) && errors.Is(err, fs.ErrPermission):
		return a.failedRepair(err) // the journal is intact, only not readable for this user
	case errors.As(err, &unread) && unread.Machine == "":
		return &exitError{code: exitIncomplete, hint: hint.VBoxManage("list", "vms", "--long")}
	case errors.As(err, &unread):
		return &exitError{code: exitIncomplete, hint: hint.Own("undo", "--list", unread.Machine)}
	case errors.As(err, &rollback) && rollback.Machine == "": // the kernel modules belong to no machine
		return &exitError{code: exitIncomplete, message: rollback.Error(), hint: hint.Own("modules", "restart")}
	case errors.As(err, &rollback):
		return &exitError{code: exitIncomplete, message: rollback.Error(), hint: hint.Own("undo", rollback.Machine)}
	case errors.Is(err, errInterrupted):
		return &exitError{code: exitInterrupted, message: "interrupted"}
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return &exitError{hint: a.doctorHere()}
	}
	return nil
}

// wrongUsage handles names that do not exist or cannot be used. It returns nil for other errors.
func (a *app) wrongUsage(err error) *exitError {
	var (
		missing *store.NotFoundError
		name    *store.NameError
		config  *store.ConfigError
		dialect *shell.UnknownError
		ref     *target.RefError
		context *dockercli.NoContextError
	)
	switch {
	case errors.As(err, &ref) && len(a.meantHost(ref.Text)) > 0:
		return &exitError{code: exitUsage, hint: a.meantHost(ref.Text)}
	case errors.As(err, &ref):
		return &exitError{code: exitUsage, hint: a.helpOf(a.cmd)}
	case errors.Is(err, target.ErrNoForm) && a.Getenv("DOCKER_HOST") != "":
		return &exitError{code: exitUsage, hint: hint.Shell("unset DOCKER_HOST")}
	case errors.As(err, &context), errors.Is(err, target.ErrNoForm):
		return &exitError{code: exitUsage, hint: hint.Run("docker", "context", "ls")}
	case errors.As(err, &missing) && missing.Name == localHost && a.cmd != nil:
		return &exitError{code: exitUsage, message: a.takes(machineOnly(), localHost) + "; the store has no machine of that name", hint: hint.Own("doctor", localHost)}
	case errors.As(err, &missing) && len(a.meantHost(missing.Name)) > 0:
		return &exitError{code: exitUsage, hint: a.meantHost(missing.Name)}
	case errors.As(err, &missing) && len(a.machineHint(missing.Name, missing.Known)) > 0:
		return &exitError{code: exitUsage, hint: a.machineHint(missing.Name, missing.Known)}
	case errors.As(err, &missing) && len(missing.Known) == 0 && len(a.meantLocal(missing.Name)) > 0:
		return &exitError{code: exitUsage, hint: a.meantLocal(missing.Name)}
	case errors.As(err, &missing) && len(missing.Known) == 0:
		return &exitError{code: exitUsage, message: missing.Error() + a.otherStore(), hint: a.firstMachine(missing.Name)}
	case errors.As(err, &missing):
		return &exitError{code: exitUsage, hint: hint.Own("ls")}
	case errors.As(err, &name) && len(a.meantHost(name.Name)) > 0:
		return &exitError{code: exitUsage, hint: a.meantHost(name.Name)}
	case errors.As(err, &name) && len(a.machineHint(name.Name, a.completeMachines())) > 0:
		return &exitError{code: exitUsage, hint: a.machineHint(name.Name, a.completeMachines())}
	case errors.As(err, &name):
		return &exitError{code: exitUsage, hint: hint.Own("ls")}
	case errors.As(err, &config):
		return &exitError{hint: hint.Explain("machine.config-unreadable")}
	case errors.As(err, &dialect):
		return &exitError{code: exitUsage, hint: a.nearestOf(dialect.Name, shell.Names(), hint.Run("docker-vpn-helper", "env", "--help"))}
	}
	return nil
}

// userAction handles what the user must do or decide first. It returns nil for other errors.
func (a *app) userAction(err error) *exitError {
	var (
		needsYes *ui.NeedsYes
		sudo     *host.SudoError
		required *useraction.Required
	)
	switch {
	case errors.As(err, &needsYes):
		return &exitError{code: exitUserAction, hint: a.again("--yes")}
	case errors.Is(err, ui.ErrRefused) && a.ui.Changed(): // what was rolled back, or stays, is printed already
		return &exitError{code: exitUserAction, message: "Cancelled"}
	case errors.Is(err, ui.ErrRefused):
		return &exitError{code: exitUserAction, message: "Cancelled; nothing was changed"}
	case errors.As(err, &sudo):
		return &exitError{code: exitUserAction, hint: hint.Run(sudo.Argv...)}
	case errors.As(err, &required):
		return &exitError{code: exitUserAction, hint: required.Hint}
	}
	return nil
}

// failedRepair handles what failed on the laptop or the machine. It returns nil for other errors.
func (a *app) failedRepair(err error) *exitError {
	var (
		verdict *engine.VerdictError
		down    *dockerhost.DaemonDown
		path    *fs.PathError
		port    *virtualbox.PortError
	)
	switch {
	case errors.As(err, &port):
		return &exitError{hint: port.Hint}
	case errors.As(err, &verdict) && verdict.Status != engine.Fail:
		return &exitError{code: exitUnknown, hint: verdict.Finding.Hint}
	case errors.As(err, &verdict):
		return &exitError{hint: verdict.Finding.Hint}
	case vbox.KindOf(err) == vbox.KernelDriver:
		return &exitError{hint: hint.Own("modules", "restart")}
	case vbox.KindOf(err) == vbox.HostOnlyMissing:
		return &exitError{hint: a.newHostOnlyHint()}
	case errors.Is(err, virtualbox.ErrNotInstalled):
		return &exitError{code: exitUserAction, hint: hint.Explain("machine.virtualbox-missing")}
	case vbox.KindOf(err) != "", errors.As(err, &down):
		return &exitError{hint: a.doctorHere()}
	case errors.As(err, &path):
		return &exitError{hint: hint.Run("ls", "-ld", a.existing(path.Path))}
	}
	return nil
}
