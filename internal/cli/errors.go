package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
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

var (
	errInterrupted = errors.New("interrupted")
	errTimeout     = errors.New("timed out (--timeout)")
)

// exitError is an error with an exit code and a hint.
type exitError struct {
	code    int
	message string
	hint    hint.Hint
	// shown means that the error was already printed, as part of the result.
	shown bool
	// changes are the changes that a dry run would have made.
	changes []string
}

func (e *exitError) Error() string { return e.message }

func (e *exitError) json() *jsonError {
	return &jsonError{Message: e.message, Hint: e.hint.String(), Exit: e.code}
}

type jsonError struct {
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Exit    int    `json:"exit"`
}

func (a *app) cause(err error) error { return engine.Cause(a.ctx, err) }

// interrupted reports whether a signal has interrupted the program; --timeout does not count.
func (a *app) interrupted() bool { return errors.Is(context.Cause(a.ctx), errInterrupted) }

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// misused returns the error for wrong usage. Its hint is the command line that was probably meant.
func misused(meant hint.Hint, format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hint: meant}
}
