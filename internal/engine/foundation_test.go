package engine

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
)

func foundation(l *Layer) { l.Foundation = true }

// A machine that cannot be brought up: nothing above it is planned, tried or undone.
func TestNothingIsRepairedAboveAHopelessMachine(t *testing.T) {
	on := map[string]bool{}
	rule := facts{Found: []Finding{{Code: "forward.rule-missing", Status: Fail}}, Planned: []Change{&toggle{Name: "rule", on: on}}}
	layers := []Layer{
		layer("machine", found("machine.missing", Fail), foundation),
		layer("forward", rule, needs("machine")),
		layer("daemon", found("daemon.unreachable", Fail), needs("machine"), verdictLayer),
	}
	r, j, err := fixIn(t, t.Context(), layers, silent{})
	var verdict *VerdictError
	if !errors.As(err, &verdict) || verdict.Finding.Code != "machine.missing" || len(r.Applied) > 0 || len(j.Entries) > 0 || len(on) > 0 {
		t.Errorf("%v, applied %q, journal %+v, world %v", err, r.Applied, j.Entries, on)
	}
	if r.Cause != "machine.missing" || r.Status != Fail || len(r.Layers) != 3 {
		t.Errorf("the report says %s, %s", r.Cause, r.Status)
	}
	var planned []string
	for _, l := range Diagnose(t.Context(), unread(), layers, silent{}).Layers {
		planned = append(planned, l.Changes...)
	}
	if diff := cmp.Diff([]string(nil), planned); diff != "" {
		t.Error(diff)
	}
	// What a rollback stands on may be gone for good: that is its changes' business.
	w := job(t, laptop, on, silent{})
	w.UpForRollback = layers[:1]
	if err := session(t, w).bringUpForRollback(t.Context(), t.Context()); err != nil {
		t.Error(err)
	}
}

// What a resume brings up, such as kernel modules that it restarts, is a run whose
// journal ends as any other's does (issue 10, item 5).
func TestJournalOfWhatAResumeNeedsIsClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		fails bool
		end   journal.End
		on    map[string]bool
	}{
		"it_helped": {false, journal.Done, map[string]bool{"modules": true}},
		"it_failed": {true, journal.RolledBack, map[string]bool{}},
	} {
		t.Run(name, func(t *testing.T) {
			on := map[string]bool{}
			w := job(t, laptop, on, silent{})
			w.UpForRollback = twoLayers(on, &toggle{Name: "modules", on: on, fail: tt.fails})[:1]
			s := session(t, w)
			if err := s.bringUpForRollback(t.Context(), t.Context()); (err != nil) != tt.fails {
				t.Error(err)
			}
			j := newest(t, s)
			got, want := []any{j.Command, j.End, j.Unfinished(), on}, []any{"fix", tt.end, false, tt.on}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
