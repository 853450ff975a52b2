package faults

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStoppedAtAnyInstant stops fix in every way that it is meant to take note of,
// at random instants. Unless it was done by then, all is as before, and so it is
// after undo. DVH_FAULTS=all tries 40 instants, else 4.
func TestStoppedAtAnyInstant(t *testing.T) {
	for name, stop := range map[string]stop{
		"timeout":    {},
		"interrupt":  {signal: syscall.SIGINT},
		"terminated": {signal: syscall.SIGTERM},
		"hangup":     {signal: syscall.SIGHUP, deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newWorld(t, laptops["VPN connected"]).stoppedAtAnyInstant(stop)
		})
	}
}

// stop is a way to stop the program: a signal, else its own --timeout.
type stop struct {
	signal syscall.Signal
	deaf   bool // the terminal is gone: nobody reads what is said any more
}

func (w *world) stoppedAtAnyInstant(how stop) {
	t, tries := w.t, 4
	if os.Getenv("DVH_FAULTS") == "all" {
		tries = 40
	}
	before := w.snapshot()
	begun := time.Now()
	if code, out := w.run("", "fix", "--yes", "default"); code != 0 {
		t.Fatalf("fix that nothing stops: exit %d\n%s", code, out)
	}
	took := time.Since(begun)
	w.undo(before, "default")
	ends := map[string]int{}
	for range tries {
		at := time.Duration(rand.Int64N(int64(took)))
		end := w.stopped(at, how, before)
		ends[end]++
		if t.Failed() {
			return
		}
	}
	t.Logf("%d instants survived; how the runs ended: %v", tries, ends)
}

func (w *world) stopped(at time.Duration, how stop, before snapshot) (end string) {
	w.t.Helper()
	args := []string{"--yes", "fix", "default"}
	ctx, cancel := context.WithTimeout(w.t.Context(), at)
	if how.signal == 0 {
		args = append(args, "--timeout", (at + time.Millisecond).String())
		ctx, cancel = context.WithCancel(w.t.Context())
	}
	defer cancel()
	var said strings.Builder
	cmd := w.command(ctx, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(how.signal) }
	cmd.WaitDelay = patience
	cmd.Stdout, cmd.Stderr = &said, &said
	if how.deaf {
		r, gone, err := os.Pipe()
		if err != nil {
			w.t.Fatal(err)
		}
		r.Close()
		defer gone.Close()
		cmd.Stdout, cmd.Stderr = gone, gone
	}
	if err := cmd.Run(); cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	code := cmd.ProcessState.ExitCode()
	now := w.snapshot()
	// A signal that comes before the program listens for any ends it: nothing is begun then.
	if code != 0 && code != 1 && code != 130 && code != -1 || code != 0 && now != before {
		w.t.Errorf("stopped after %v: %v, and not as before:\n%s\n%s", at, cmd.ProcessState, cmp.Diff(before, now), said.String())
	}
	undone, out := w.run("", "undo", "default")
	if undone != 0 || (code == 0) == strings.Contains(out, "nothing to undo") {
		w.t.Errorf("stopped after %v: %v; then undo: exit %d\n%s", at, cmd.ProcessState, undone, out)
	}
	if diff := cmp.Diff(before, w.snapshot()); diff != "" {
		w.t.Errorf("stopped after %v: undo did not restore the start: %s\n%s", at, diff, said.String())
	}
	return cmd.ProcessState.String()
}
