package faults

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cmdline"
)

var programs = sync.OnceValues(func() (cmdline.Programs, error) { return cmdline.Known("../../../docs/man") })

// checkHints wants what an error tells the user to type to be a command that its program takes.
func (w *world) checkHints(fault, out string) {
	w.t.Helper()
	known, err := programs()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, line := range cmdline.Printed(out) {
		if err := known.Check(line, cmdline.Laptop{OS: w.os}); err != nil {
			w.t.Errorf("%s: its hint: %v\n%s", fault, err, out)
		}
	}
}

// hintsFollowed are those that were typed already, for a system.
var hintsFollowed sync.Map

// followHints types what the error of a failed repair says, each line once, where the stand-ins have
// the program. Nothing may be wrong usage. That it does no harm shows in what comes after.
func (w *world) followHints(fault, out string) (followed bool) {
	w.t.Helper()
	for _, line := range cmdline.Printed(out) {
		name, _, _ := strings.Cut(line, " ")
		if _, err := os.Stat(filepath.Join(w.bin, name)); err != nil {
			continue
		}
		if _, again := hintsFollowed.LoadOrStore(w.os+" "+line, true); again {
			continue
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
		cmd.Env = w.environment()
		said, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			w.t.Fatalf("running %s: %v", line, err)
		}
		w.t.Logf("%s: its hint: %s: exit %d", fault, line, cmd.ProcessState.ExitCode())
		if code := cmd.ProcessState.ExitCode(); code == 2 || code >= 126 {
			w.t.Errorf("%s: its hint: %s: exit %d\n%s", fault, line, code, said)
		}
		followed = true
	}
	return followed
}
