package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// facts is a state that says what it is told to.
type facts struct {
	Found   []Finding
	Planned []Change
	By      string
}

func (f facts) Findings() []Finding { return f.Found }
func (f facts) Changes() []Change   { return f.Planned }
func (f facts) BlockedBy() string   { return f.By }

func layer(name string, found facts, edit ...func(*Layer)) Layer {
	l := Layer{Name: name, Inspect: func(context.Context, *target.Target) (State, error) { return found, nil }}
	for _, e := range edit {
		e(&l)
	}
	return l
}

func needs(names ...string) func(*Layer) { return func(l *Layer) { l.Needs = names } }
func verdictLayer(l *Layer)              { l.Decides = true }

func found(code string, s Status) facts { return facts{Found: []Finding{{Code: code, Status: s}}} }

// unread is a world whose machine cannot be read: nothing outside is asked.
func unread() *target.Target {
	t := &target.Target{LoadErr: errors.New("not there"), Now: time.Now}
	t.Machine.Name = "default"
	return t
}

// laptop has the journals of the tests on its real disk.
var laptop = host.NewLocal(host.Sudo{})

type silent struct{}

func (silent) Event(Event)                                   {}
func (silent) Confirm(context.Context, string, string) error { return nil }
func (silent) CanAsk() bool                                  { return false }

func TestReportNamesTheCauseAndHidesItsSymptoms(t *testing.T) {
	outranking := found("daemon.other-machine", Fail)
	outranking.Found[0].Weight = Outranks
	aside := found("env.unset", Warn)
	aside.Found[0].Weight = Aside
	for name, tt := range map[string]struct {
		layers []Layer
		cause  string
		status Status
		states map[string]string // layer -> status, or status:blocked_by
	}{
		"all_well": {
			[]Layer{layer("machine", found("machine.ok", OK)), layer("daemon", found("daemon.ok", OK), verdictLayer)},
			"", OK, map[string]string{"machine": "ok", "daemon": "ok"},
		},
		"hijacked_and_no_rule": { // cli.md's example
			[]Layer{
				layer("route", found("route.hijacked", Warn)),
				layer("forward", found("forward.rule-missing", Fail)),
				layer("daemon", found("daemon.unreachable", Fail), verdictLayer, needs("forward")),
			},
			"forward.rule-missing", Fail, map[string]string{"route": "warn", "forward": "fail", "daemon": "blocked:forward"},
		},
		"blocked_is_transitive": {
			[]Layer{
				layer("machine", found("machine.not-running", Fail)),
				layer("forward", found("forward.rule-missing", Fail), needs("machine")),
				layer("daemon", found("daemon.unreachable", Fail), verdictLayer, needs("forward")),
			},
			"machine.not-running", Fail, map[string]string{"machine": "fail", "forward": "blocked:machine", "daemon": "blocked:machine"},
		},
		"another_machine_answers": {
			[]Layer{layer("machine", found("machine.not-running", Fail)), layer("daemon", outranking, verdictLayer, needs("machine"))},
			"daemon.other-machine", Fail, map[string]string{"machine": "fail", "daemon": "fail"},
		},
		"a_failure_is_a_warning_while_the_verdict_is_ok": {
			[]Layer{layer("ssh", found("ssh.timeout", Fail)), layer("daemon", found("daemon.ok", OK), verdictLayer)},
			"ssh.timeout", Warn, map[string]string{"ssh": "warn", "daemon": "ok"},
		},
		"ssh_fails_with_the_verdict": {
			[]Layer{layer("ssh", found("ssh.timeout", Fail)), layer("daemon", found("daemon.unreachable", Fail), verdictLayer)},
			"ssh.timeout", Fail, map[string]string{"ssh": "fail", "daemon": "fail"},
		},
		"an_aside_is_no_cause": {
			[]Layer{layer("daemon", found("daemon.ok", OK), verdictLayer), layer("env", aside)},
			"", Warn, map[string]string{"daemon": "ok", "env": "warn"},
		},
		"a_layer_blocks_itself": {
			[]Layer{layer("machine", found("machine.not-running", Fail)), layer("ssh", facts{By: "machine"}), layer("daemon", found("daemon.ok", OK), verdictLayer)},
			"machine.not-running", Warn, map[string]string{"machine": "warn", "ssh": "blocked:machine", "daemon": "ok"},
		},
		"what_the_user_demands_stays_a_failure": {
			[]Layer{layer("forward", facts{Found: []Finding{{Code: "forward.port-taken", Status: Fail, Demanded: true}, {Code: "forward.other", Status: Fail}}}), layer("daemon", found("daemon.ok", OK), verdictLayer)},
			"forward.port-taken", Fail, map[string]string{"forward": "fail", "daemon": "ok"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Diagnose(t.Context(), unread(), tt.layers, silent{})
			states := map[string]string{}
			for _, l := range r.Layers {
				states[l.Layer] = string(l.Status)
				if l.BlockedBy != "" {
					states[l.Layer] += ":" + l.BlockedBy
				}
			}
			type summary struct {
				Cause  string
				Status Status
				States map[string]string
			}
			if diff := cmp.Diff(summary{tt.cause, tt.status, tt.states}, summary{r.Cause, r.Status, states}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbeThatErrorsIsUnknown(t *testing.T) {
	l := Layer{Name: "route", Inspect: func(context.Context, *target.Target) (State, error) { return nil, errors.New("no such device") }}
	r := Diagnose(t.Context(), unread(), []Layer{l}, silent{})
	f := r.Layers[0].Findings[0]
	if r.Status != Unknown || f.Code != "route.unknown" || !strings.Contains(f.Title, "no such device") {
		t.Errorf("got %s, %+v", r.Status, f)
	}
}

// toggle is a change to a value in memory, standing for the world outside.
type toggle struct {
	Name   string
	Inside bool // undoing it needs the docker host
	on     map[string]bool
	fail   bool
	risk   string
	next   *toggle
	idle   bool // applying it does not help
}

func (c *toggle) About() About {
	return About{Kind: "toggle", Doing: "setting " + c.Name, Risk: c.risk, NeedsDockerHost: c.Inside}
}
func (c *toggle) String() string                               { return "set " + c.Name }
func (c *toggle) Backup(context.Context, *target.Target) error { return nil }
func (c *toggle) Apply(context.Context, *target.Target) error {
	if !c.idle {
		c.on[c.Name] = true
	}
	if c.fail {
		return errors.New("the disk is full")
	}
	return nil
}
func (c *toggle) Revert(context.Context, *target.Target) ([]string, error) {
	delete(c.on, c.Name)
	return nil, nil
}
func (c *toggle) Next() Change {
	if c.next == nil {
		return nil
	}
	return c.next
}

// twoLayers are two layers, each put right by its toggle, under a verdict.
func twoLayers(on map[string]bool, changes ...*toggle) []Layer {
	var layers []Layer
	for _, c := range changes {
		layers = append(layers, Layer{Name: c.Name, Inspect: func(context.Context, *target.Target) (State, error) {
			for n := c; n != nil; n = n.next {
				if on[n.Name] {
					return found(c.Name+".ok", OK), nil
				}
			}
			s := found(c.Name+".missing", Fail)
			s.Planned = []Change{c}
			return s, nil
		}})
	}
	return append(layers, Layer{Name: "daemon", Decides: true, Inspect: func(context.Context, *target.Target) (State, error) {
		if len(on) < len(changes) {
			return found("daemon.unreachable", Fail), nil
		}
		return found("daemon.ok", OK), nil
	}})
}

func fixIn(t *testing.T, ctx context.Context, layers []Layer, sink Sink) (Result, *journal.Journal, error) {
	t.Helper()
	s := session(t, job(t, laptop, nil, sink))
	r, err := s.Fix(ctx, t.Context(), layers)
	return r, newest(t, s), err
}

func TestFixAppliesRungByRungAndJournals(t *testing.T) {
	on := map[string]bool{}
	r, j, err := fixIn(t, t.Context(), twoLayers(on, &toggle{Name: "a", on: on}, &toggle{Name: "b", on: on}), silent{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"set a", "set b"}, r.Applied); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(j.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("journal: %v %v", info.Mode(), err)
	}
	if beside, _ := filepath.Glob(filepath.Join(filepath.Dir(j.Path), "*")); len(beside) != 1 {
		t.Errorf("beside the journal: %v", beside)
	}
	all, err := journal.Read(t.Context(), laptop, filepath.Dir(j.Path), decodeToggle(on))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	back := all[0]
	if back.End != journal.Done || len(back.Entries) != 2 || back.Entries[1].Mark != journal.Applied {
		t.Errorf("read back: %+v %v", back, err)
	}
}

// What blocks others by what itself is does not block itself.
func TestCauseBehindItsOwnSymptom(t *testing.T) {
	state := func(by string, findings ...Finding) func(context.Context, *target.Target) (State, error) {
		return func(context.Context, *target.Target) (State, error) { return blockedState{by, findings}, nil }
	}
	r := Diagnose(t.Context(), unread(), []Layer{
		{Name: "tls", Inspect: state("daemon")},
		{Name: "daemon", Needs: []string{"tls"}, Decides: true, Inspect: state("", Finding{Code: "daemon.unreachable", Status: Fail})},
	}, silent{})
	got := []string{r.Cause, string(r.Layers[0].Status), r.Layers[0].BlockedBy, string(r.Layers[1].Status), r.Layers[1].BlockedBy}
	if diff := cmp.Diff([]string{"daemon.unreachable", "blocked", "daemon", "fail", ""}, got); diff != "" {
		t.Error(diff)
	}
}

type blockedState struct {
	by       string
	findings []Finding
}

func (s blockedState) Findings() []Finding { return s.findings }
func (blockedState) Changes() []Change     { return nil }
func (s blockedState) BlockedBy() string   { return s.by }

func TestFixRollsBackWhatItDid(t *testing.T) {
	on := map[string]bool{}
	r, j, err := fixIn(t, t.Context(), twoLayers(on, &toggle{Name: "a", on: on}, &toggle{Name: "b", on: on, fail: true}), silent{})
	if err == nil || !strings.Contains(err.Error(), "disk is full") || !r.RolledBack || len(on) != 0 || j.End != journal.RolledBack {
		t.Errorf("err %v, rolled back %v, world %v, end %q", err, r.RolledBack, on, j.End)
	}
}

func TestFixEscalatesWhereAChangeDidNotHelp(t *testing.T) {
	on := map[string]bool{}
	strong := &toggle{Name: "strong", on: on}
	r, _, err := fixIn(t, t.Context(), twoLayers(on, &toggle{Name: "gentle", on: on, idle: true, next: strong}), silent{})
	if diff := cmp.Diff([]string{"set gentle", "set strong"}, r.Applied); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestFixGivesUpOnAChangeThatNeverHelps(t *testing.T) {
	on := map[string]bool{}
	_, _, err := fixIn(t, t.Context(), twoLayers(on, &toggle{Name: "a", on: on, idle: true}), silent{})
	if err == nil || !strings.Contains(err.Error(), "done, and still needed") {
		t.Error(err)
	}
}

type refusing struct{ silent }

func (refusing) Confirm(context.Context, string, string) error { return errors.New("no") }
func (refusing) CanAsk() bool                                  { return true }

func TestFixAsksBeforeARisk(t *testing.T) {
	on := map[string]bool{}
	_, _, err := fixIn(t, t.Context(), twoLayers(on, &toggle{Name: "a", on: on}, &toggle{Name: "b", on: on, risk: "stops web"}), refusing{})
	if err == nil || len(on) != 0 {
		t.Errorf("err %v, world %v", err, on)
	}
}

// undo asks where it can; a script that undoes has decided.
func TestUndoAsksOnATerminal(t *testing.T) {
	for _, on := range []struct {
		sink    Sink
		refused bool
	}{{refusing{}, true}, {silent{}, false}} {
		j := journal.New(laptop, t.TempDir(), journal.Header{Command: "fix", Machine: "default", Started: time.Unix(1, 0)})
		seq, err := j.Plan(t.Context(), &toggle{Name: "a", on: map[string]bool{}, risk: "stops web"})
		if err := errors.Join(err, j.Update(t.Context(), seq, journal.Applied), j.Close(t.Context(), journal.Done)); err != nil {
			t.Fatal(err)
		}
		err = (&Session{Job: Job{Sink: on.sink}, Target: unread()}).confirmUndo(t.Context(), j)
		if refused := err != nil; refused != on.refused {
			t.Errorf("%T: %v", on.sink, err)
		}
	}
}

func TestFixRollsBackWhenInterrupted(t *testing.T) {
	on := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	layers := twoLayers(on, &toggle{Name: "a", on: on})
	inspect := layers[1].Inspect
	layers[1].Inspect = func(ctx context.Context, tgt *target.Target) (State, error) { cancel(); return inspect(ctx, tgt) }
	_, j, err := fixIn(t, ctx, layers, silent{})
	if !errors.Is(err, context.Canceled) || len(on) != 0 || j.End != journal.RolledBack {
		t.Errorf("err %v, world %v, end %q", err, on, j.End)
	}
}

func decodeToggle(on map[string]bool) journal.Decoder {
	return func(kind string, raw json.RawMessage) (Change, error) {
		c := &toggle{on: on}
		if kind != "toggle" {
			return nil, errors.New("unknown kind")
		}
		return c, json.Unmarshal(raw, c)
	}
}

func TestJournalOfAKilledRunIsTakenBack(t *testing.T) {
	on := map[string]bool{"a": true, "b": true}
	dir := t.TempDir()
	j := journal.New(laptop, dir, journal.Header{Command: "fix", Machine: "default", Started: time.Unix(1, 0)})
	for _, n := range []string{"a", "b"} {
		if _, err := j.Plan(t.Context(), &toggle{Name: n, on: on}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(j.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":2,"mark":"app`) // the power went while this was written
	f.Close()
	all, err := journal.Read(t.Context(), laptop, dir, decodeToggle(on))
	if err != nil || len(all) != 1 || all[0].End != journal.Open || !all[0].Undoable() {
		t.Fatalf("%+v %v", all, err)
	}
	for range 2 {
		if _, err := (&Session{Job: Job{Sink: silent{}}, Target: unread()}).revert(t.Context(), all[0], journal.RolledBack); err != nil {
			t.Fatal(err)
		}
	}
	all, err = journal.Read(t.Context(), laptop, dir, decodeToggle(on))
	if err != nil || all[0].Undoable() || len(on) != 0 {
		t.Errorf("%+v %v %v", all[0], on, err)
	}
}

// What a killed undo has left is unfinished business of the next run, whatever
// that is: issue 3.
func TestAnUndoThatDidNotEndIsUnfinished(t *testing.T) {
	on := map[string]bool{}
	s := session(t, job(t, laptop, on, silent{}))
	if _, err := s.Fix(t.Context(), t.Context(), twoLayers(on, &toggle{Name: "a", on: on})); err != nil || newest(t, s).Unfinished() {
		t.Fatal(err)
	}
	decode := s.Decode
	s.Decode = func(string, json.RawMessage) (Change, error) { return &stubborn{toggle{Name: "a", on: on}}, nil }
	var incomplete *RollbackError
	if _, err := s.Undo(t.Context(), false); !errors.As(err, &incomplete) {
		t.Fatalf("undo of a change that cannot be undone: %v", err)
	}
	s.Decode = decode
	if back := newest(t, s); back.End != journal.Undoing || !back.Unfinished() || !back.Undoable() {
		t.Fatalf("read back: %+v", back)
	}
	if _, err := s.Undo(t.Context(), false); err != nil || newest(t, s).End != journal.Undone || len(on) != 0 {
		t.Errorf("err %v, end %q, world %v", err, newest(t, s).End, on)
	}
}

type stubborn struct{ toggle }

func (*stubborn) Revert(context.Context, *target.Target) ([]string, error) {
	return nil, errors.New("the docker host does not answer")
}
