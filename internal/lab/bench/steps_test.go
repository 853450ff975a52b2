//go:build e2e && linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestBenchFirstSteps measures what README.md promises to whoever tries the program: make and make
// demo in a new clone, with an empty build cache. Modules are downloaded already.
func TestBenchFirstSteps(t *testing.T) {
	clone, cache := filepath.Join(t.TempDir(), "clone"), t.TempDir()
	if out, err := exec.Command("git", "clone", "-q", "../../..", clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	section := Section{Title: Steps, Command: "make bench"}
	for _, step := range []struct {
		target, what string
		goal         time.Duration
	}{
		{"build", "`make`, the first time", time.Minute},
		{"demo", "`make demo` after that", 2 * time.Minute},
	} {
		cmd := exec.CommandContext(t.Context(), "make", "-s", step.target)
		cmd.Dir, cmd.Env = clone, append(os.Environ(), "GOCACHE="+cache)
		begun := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", step.target, err, out)
		}
		took := time.Since(begun).Round(time.Second)
		t.Logf("%s: %s (goal %s)", step.what, took, step.goal)
		section.Rows = append(section.Rows, Row{What: step.what, Figure: fmt.Sprintf("%.0f s", took.Seconds()), Goal: fmt.Sprintf("%.0f s", step.goal.Seconds()), Missed: took > step.goal})
	}
	if *update {
		if err := Write("../../../docs/benchmarks.md", section, Machine()); err != nil {
			t.Error(err)
		}
	}
}
