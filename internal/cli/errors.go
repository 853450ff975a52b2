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

// exitError is an error that knows its exit code and its hint.
type exitError struct {
	code    int
	message string
	hint    hint.Hint
	// shown reports that the result, on stdout, has the error in it already.
	shown bool
	// changes is what would have been done.
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

// interrupted reports whether a signal has come; the end of --timeout is none.
func (a *app) interrupted() bool { return errors.Is(context.Cause(a.ctx), errInterrupted) }

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// misused is wrong usage with the command line that was probably meant.
func misused(meant hint.Hint, format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hint: meant}
}
