package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// told records what a session tells, and says yes.
type told struct{ lines []string }

func (s *told) Event(e Event) {
	switch e.Kind {
	case Note:
		s.lines = append(s.lines, e.Text)
	case Inspecting:
		s.lines = append(s.lines, "inspecting "+e.Layer)
	case Reverting:
		s.lines = append(s.lines, "undoing "+e.Change.String())
	}
}
func (*told) Confirm(context.Context, string, string) error { return nil }
func (*told) CanAsk() bool                                  { return false }

// job is in a directory of its own, on a machine that cannot be read.
func job(t *testing.T, l host.Laptop, on map[string]bool, sink Sink) Job {
	t.Helper()
	return Job{
		Dir: t.TempDir(), Laptop: l, Decode: decodeToggle(on), Open: func() (*target.Target, error) { return unread(), nil },
		Command: "fix", Machine: "default", Doing: "works on this machine", Sink: sink, Now: func() time.Time { return time.Unix(1, 0) },
	}
}

func session(t *testing.T, w Job) *Session {
	t.Helper()
	s, err := Lock(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// newest is the session's last journal; an empty one if it has none.
func newest(t *testing.T, s *Session) *journal.Journal {
	t.Helper()
	all, err := s.Journals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return &journal.Journal{}
	}
	return all[len(all)-1]
}

// begun writes a journal of changes that were planned, and ends it.
func begun(t *testing.T, w Job, end journal.End, changes ...*toggle) {
	t.Helper()
	s := session(t, w)
	defer s.unlock()
	r := s.newRun()
	for _, c := range changes {
		if _, err := r.journal.Plan(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.on[c.Name] = true
	}
	if end != journal.Open {
		if err := r.journal.Close(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
}

// What was killed is rolled back, newest first. Only what is on the docker host needs
// that brought up, and once is enough.
func TestBeginRollsBackWhatDidNotFinish(t *testing.T) {
	on := map[string]bool{}
	sink := &told{}
	w := job(t, laptop, on, sink)
	w.UpForRollback = []Layer{layer("machine", found("machine.ok", OK))}
	begun(t, w, journal.Open, &toggle{Name: "context", on: on})
	begun(t, w, journal.Done, &toggle{Name: "kept", on: on})
	begun(t, w, journal.Open, &toggle{Name: "rule", on: on}, &toggle{Name: "certificate", Inside: true, on: on})
	begun(t, w, journal.Undoing, &toggle{Name: "record", on: on})
	s, err := Begin(t.Context(), t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Target.Mode.IsRepair() {
		t.Error("the rollback is over, and the machine is still in a repair")
	}
	if diff := cmp.Diff([]string{
		"an earlier undo did not finish: rolling it back first", "undoing set record",
		"an earlier fix did not finish: rolling it back first", "inspecting machine", "undoing set certificate", "undoing set rule",
		"an earlier fix did not finish: rolling it back first", "undoing set context",
	}, sink.lines); diff != "" {
		t.Error(diff)
	}
	var ends []journal.End
	all, err := s.Journals(t.Context())
	for _, j := range all {
		ends = append(ends, j.End)
	}
	if diff := cmp.Diff([]journal.End{journal.RolledBack, journal.Done, journal.RolledBack, journal.RolledBack}, ends); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if diff := cmp.Diff(map[string]bool{"kept": true}, on); diff != "" {
		t.Error(diff)
	}
}

// The other job comes first, and only if it is unfinished.
func TestBeginRollsBackOtherWorkFirst(t *testing.T) {
	on := map[string]bool{}
	sink := &told{}
	other, w := job(t, laptop, on, sink), job(t, laptop, on, sink)
	other.Title, w.Before = "modules restart", &other
	opened := 0
	open := other.Open
	other.Open = func() (*target.Target, error) { opened++; return open() }
	for _, want := range []int{0, 2} { // 1 to make the journal, 1 to roll it back
		if want > 0 {
			begun(t, other, journal.Open, &toggle{Name: "modules", on: on})
			begun(t, w, journal.Open, &toggle{Name: "rule", on: on})
		}
		s, err := Begin(t.Context(), t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if opened != want {
			t.Errorf("opened %d times, want %d", opened, want)
		}
	}
	if diff := cmp.Diff([]string{
		"an earlier modules restart did not finish: rolling it back first", "undoing set modules",
		"an earlier fix did not finish: rolling it back first", "undoing set rule",
	}, sink.lines); diff != "" {
		t.Error(diff)
	}
}

func TestMachineIsOpenedUnderTheLock(t *testing.T) {
	sink := &told{}
	w := job(t, laptop, nil, sink)
	first := session(t, w)
	opened, done := make(chan struct{}), make(chan error)
	w.Open = func() (*target.Target, error) { close(opened); return unread(), nil }
	go func() {
		s, err := Lock(t.Context(), w)
		if err == nil {
			s.unlock()
		}
		done <- err
	}()
	select {
	case <-opened:
		t.Error("opened while another session works on it")
	case <-time.After(100 * time.Millisecond):
	}
	first.unlock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-opened
	if diff := cmp.Diff([]string{"waiting for another docker-vpn-helper that works on this machine"}, sink.lines); diff != "" {
		t.Error(diff)
	}
}

func TestLockOfAMachineThatCannotBeOpenedIsFree(t *testing.T) {
	w := job(t, laptop, nil, &told{})
	open := w.Open
	w.Open = func() (*target.Target, error) { return nil, errors.New("config.json is unreadable") }
	if _, err := Lock(t.Context(), w); err == nil {
		t.Fatal("no error")
	}
	w.Open = open
	session(t, w)
}

func TestUndoTakesTheNewestRunAndWhatDidNotFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		all  bool
		left map[string]bool
		runs int
	}{
		"newest": {false, map[string]bool{"1": true, "3": true}, 2},
		"all":    {true, map[string]bool{}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			on := map[string]bool{}
			w := job(t, laptop, on, &told{})
			for n, end := range []journal.End{journal.Undone, journal.Done, journal.Open, journal.Done, journal.Done} {
				begun(t, w, end, &toggle{Name: fmt.Sprint(n), on: on})
			}
			delete(on, "0") // which is undone
			undone, err := session(t, w).Undo(t.Context(), tt.all)
			if err != nil || len(undone) != tt.runs {
				t.Errorf("%d runs, %v", len(undone), err)
			}
			for _, u := range undone {
				if u.End != journal.Undone {
					t.Errorf("%s ends with %q", u.ID, u.End)
				}
			}
			if diff := cmp.Diff(tt.left, on); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// locked is a toggle that cannot be undone now.
type locked struct{ toggle }

func (*locked) CheckUndo(context.Context, *target.Target) error { return errors.New("sudo is refused") }

// Half of a run undone would be worse than none, unless it is begun.
func TestUndoOfARunThatCannotBeUndoneAsAWhole(t *testing.T) {
	for end, refused := range map[journal.End]bool{journal.Done: true, journal.Open: false} {
		on := map[string]bool{}
		w := job(t, laptop, on, &told{})
		begun(t, w, end, &toggle{Name: "rule", on: on}, &toggle{Name: "route", on: on})
		decode := w.Decode
		w.Decode = func(kind string, raw json.RawMessage) (Change, error) {
			c, err := decode(kind, raw)
			if toggle, ok := c.(*toggle); ok && toggle.Name == "rule" {
				return &locked{*toggle}, err
			}
			return c, err
		}
		_, err := session(t, w).Undo(t.Context(), false)
		var refusal *RefusedError
		if errors.As(err, &refusal) != refused || len(on) != map[bool]int{true: 2}[refused] {
			t.Errorf("end %q: %v, %v", end, err, on)
		}
	}
}

// Where the journal cannot be written, nothing is undone and nothing announced.
func TestUndoWhoseJournalCannotBeWritten(t *testing.T) {
	on, sink := map[string]bool{}, &told{}
	w := job(t, laptop, on, sink)
	begun(t, w, journal.Done, &toggle{Name: "rule", on: on})
	w.Laptop = &failingDisk{laptop, 1}
	_, err := session(t, w).Undo(t.Context(), false)
	if !errors.As(err, new(*RefusedError)) || len(on) != 1 || newest(t, &Session{Job: w}).End != journal.Done {
		t.Errorf("%v, %v", err, on)
	}
}
