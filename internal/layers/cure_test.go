package layers

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// A repair is offered only if it cures what it is offered for: after the planned changes
// have been made on the stand-in, the findings that advise it are gone, and nothing more is
// planned.
func TestPlannedChangesCureTheirFindings(t *testing.T) {
	files, err := filepath.Glob("testdata/machines/*.txtar")
	check(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			m := readMachine(t, file)
			s := newStandIn(t, m)
			l, store := m.laptop(t, s.computer)
			l.standIn = s
			before := diagnoseOn(t, m.target(t, l, store))
			planned := plans(before)
			if len(planned) == 0 {
				return
			}
			for _, l := range before.Layers {
				for _, c := range l.Changes {
					if strings.Contains(c, "kernel modules") {
						t.Skip("what a restart of the kernel modules makes of a computer is in its transcript alone")
					}
				}
			}
			repairOn(t, m.target(t, l, store))
			after := diagnoseOn(t, m.target(t, l, store))
			if again := plans(after); len(again) > 0 {
				t.Errorf("planned again: %q", again)
			}
			for i, l := range before.Layers {
				for _, f := range l.Findings {
					if f.Hint.String() == "docker-vpn-helper fix "+before.Machine && reports(after.Layers[i], f.Code) {
						t.Errorf("%s is there still: %s", f.Code, f.Title)
					}
				}
			}
		})
	}
}

func reports(l engine.LayerReport, code string) bool {
	return slices.ContainsFunc(l.Findings, func(f engine.Finding) bool { return f.Code == code })
}

func plans(r engine.Report) (all []string) {
	for _, l := range r.Layers {
		all = append(all, l.Changes...)
	}
	return all
}

func diagnoseOn(t *testing.T, tgt *target.Target) engine.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return engine.Diagnose(ctx, tgt, All(), mute{})
}

func repairOn(t *testing.T, tgt *target.Target) {
	t.Helper()
	tgt.Mode = mode.RepairWaiting(300 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	work, err := engine.Lock(ctx, engine.Work{Dir: t.TempDir(), Laptop: tgt.Laptop, Open: func() (*target.Target, error) { return tgt, nil },
		Command: "fix", Machine: tgt.Machine.Name, Sink: mute{}, Now: time.Now})
	check(t, err)
	defer work.Close()
	if _, err := work.Fix(ctx, ctx, All()); err != nil {
		t.Errorf("fix: %v", err)
	}
}
