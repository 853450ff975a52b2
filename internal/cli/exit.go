package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// The exit codes; docs/design.md has the table.
const (
	exitOK          = 0
	exitProblems    = 1
	exitUsage       = 2
	exitUserAction  = 3
	exitUnknown     = 4
	exitIncomplete  = 5
	exitInterrupted = 130
)

// exitError is an error that knows its exit code and its hint.
type exitError struct {
	code    int
	message string
	hint    string
	// shown says that the result, on stdout as JSON, has the error in it already.
	shown bool
	// changes is what would have been done.
	changes []string
}

func (e *exitError) Error() string { return e.message }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hint: "docker-vpn-helper --help"}
}

// jsonFailure is the form of any failure with --json.
type jsonFailure struct {
	Schema  int        `json:"schema"`
	Error   *jsonError `json:"error"`
	Changes []string   `json:"changes,omitempty"`
}

type jsonError struct {
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Exit    int    `json:"exit"`
}

// report shows an error and returns its exit code.
func (a *app) report(err error) int {
	e := a.classify(err)
	if !e.shown && a.ui.JSON {
		_ = a.ui.PrintJSON(jsonFailure{Schema: engine.Schema, Error: e.json(), Changes: e.changes})
	}
	if !a.ui.JSON {
		a.ui.Error(e.message, e.hint)
	}
	return e.code
}

func (e *exitError) json() *jsonError {
	return &jsonError{Message: e.message, Hint: e.hint, Exit: e.code}
}

// classify turns any error into one with an exit code.
func (a *app) classify(err error) *exitError {
	var (
		known    *exitError
		missing  *store.NotFoundError
		name     *store.NameError
		config   *store.ConfigError
		needsYes *ui.NeedsYes
		sudo     *host.SudoError
		refused  *engine.RefusedError
		journal  *engine.UnreadableError
		rollback *engine.RollbackError
		verdict  *engine.VerdictError
		dialect  *shell.UnknownError
		required *useraction.Required
		vb       *vbox.Error
		down     *changes.DaemonDown
		path     *fs.PathError
		port     *virtualbox.PortError
	)
	out := &exitError{code: exitProblems, message: err.Error()}
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		inner := a.classify(refused.Err)
		out.code, out.message = inner.code, "nothing was taken back: "+inner.message
		out.hint = cmp.Or(inner.hint, a.command("doctor", refused.Machine))
	case errors.As(err, &journal):
		out.code, out.hint = exitIncomplete, "VBoxManage list vms --long"
		if journal.Machine != "" {
			out.hint = a.command("undo", "--list", journal.Machine)
		}
	case errors.As(err, &rollback):
		out.code = exitIncomplete
		out.message = rollback.Error()
		out.hint = a.command("undo", rollback.Machine)
		if rollback.Machine == "" { // the kernel modules belong to no machine
			out.hint = a.command("modules", "restart")
		}
	case errors.Is(err, errInterrupted):
		out.code = exitInterrupted
		out.message = "interrupted"
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		out.hint = a.command("doctor")
	case errors.As(err, &missing):
		out.code = exitUsage
		out.hint = a.command("fix", "--create", missing.Name)
		if len(missing.Known) > 0 {
			out.hint = a.command("ls")
		}
	case errors.As(err, &name):
		out.code = exitUsage
		out.hint = a.command("ls")
	case errors.As(err, &config):
		out.hint = "docker-vpn-helper explain machine.config-unreadable"
	case errors.As(err, &dialect):
		out.code = exitUsage
		out.hint = "docker-vpn-helper env --help"
	case errors.As(err, &needsYes):
		out.code = exitUserAction
		out.hint = a.again("--yes")
	case errors.Is(err, ui.ErrRefused):
		out.code = exitUserAction
		out.message = "nothing was changed: " + err.Error()
	case errors.As(err, &sudo):
		out.code = exitUserAction
		out.hint = shell.Command(sudo.Argv...)
	case errors.As(err, &required):
		out.code = exitUserAction
		out.hint = required.Hint
	case errors.As(err, &port):
		out.hint = port.Hint
	case errors.As(err, &verdict):
		out.hint = verdict.Finding.Hint
		if verdict.Status != engine.Fail {
			out.code = exitUnknown
		}
	case errors.As(err, &vb) && vb.Kind == vbox.KernelDriver:
		out.hint = a.command("modules", "restart")
	case errors.As(err, &vb) && vb.Kind == vbox.HostOnlyMissing:
		out.hint = "VBoxManage hostonlyif create"
	case errors.Is(err, virtualbox.ErrNotInstalled):
		out.code = exitUserAction
		out.hint = a.command("doctor")
	case errors.As(err, &vb), errors.As(err, &down):
		out.hint = a.command("doctor")
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		out.hint = shell.Command("ls", "-ld", path.Path)
	}
	return out
}

// command is a command line of this program that works when pasted;
// empty arguments are left out.
func (a *app) command(args ...string) string {
	args = slices.DeleteFunc(args, func(s string) bool { return s == "" })
	return shell.Command(append(a.program(), args...)...)
}

// again is this very command line with more flags.
func (a *app) again(flags ...string) string {
	line := append([]string{"docker-vpn-helper"}, a.args...)
	end := len(line)
	if dash := slices.Index(line, "--"); dash >= 0 {
		end = dash // what follows is no flag
	}
	return shell.Command(slices.Insert(line, end, flags...)...)
}
