package engine

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
)

// failingDisk writes half of the n-th line that is appended and fails.
type failingDisk struct {
	host.Laptop
	n int
}

func (d *failingDisk) Append(ctx context.Context, path string, size int64, data []byte) error {
	if d.n--; d.n == 0 {
		return errors.Join(errors.New("input/output error"), d.Laptop.Append(ctx, path, size, data[:len(data)/2]))
	}
	return d.Laptop.Append(ctx, path, size, data)
}

// Whichever line of a run's journal cannot be written, nothing stays changed and the
// journal says so.
func TestFixRollsBackWhereItsJournalCannotBeWritten(t *testing.T) {
	for line := 1; line <= 4; line++ { // the first two of the five are written in one step
		on := map[string]bool{}
		s := session(t, job(t, &failingDisk{laptop, line}, on, silent{}))
		r, err := s.Fix(t.Context(), t.Context(), twoLayers(on, &toggle{Name: "a", on: on}, &toggle{Name: "b", on: on}))
		if err == nil || !r.RolledBack || len(on) != 0 {
			t.Errorf("line %d: err %v, rolled back %v, world %v", line, err, r.RolledBack, on)
		}
		all, err := s.Journals(t.Context())
		if err != nil || len(all) != 1 || all[0].End != journal.RolledBack || all[0].Undoable() {
			t.Errorf("line %d: %+v %v", line, all, err)
		}
		files, err := os.ReadDir(journal.Dir(s.Dir))
		if diff := cmp.Diff(1, len(files)); err != nil || diff != "" {
			t.Errorf("line %d: files in the directory: %s %v", line, diff, err)
		}
	}
}

// A change that the journal cannot take down is not announced: nothing of it happens.
func TestNoChangeIsAnnouncedThatTheJournalRefuses(t *testing.T) {
	on := map[string]bool{}
	sink := &announced{}
	w := job(t, laptop, on, sink)
	if err := os.WriteFile(journal.Dir(w.Dir), nil, 0o600); err != nil { // a file in the directory's place
		t.Fatal(err)
	}
	s := &Session{Job: w, Target: unread()}
	if _, err := s.Fix(t.Context(), t.Context(), twoLayers(on, &toggle{Name: "a", on: on}, &toggle{Name: "b", on: on})); err == nil {
		t.Error("no error")
	}
	if len(sink.changes) > 0 || len(on) > 0 {
		t.Errorf("announced %q, changed %v", sink.changes, on)
	}
}

// announced records the changes that are announced.
type announced struct {
	silent
	changes []string
}

func (s *announced) Event(e Event) {
	if e.Kind == Applying {
		s.changes = append(s.changes, e.Change.String())
	}
}
