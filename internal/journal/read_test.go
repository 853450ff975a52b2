package journal

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
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// laptop has the journals of the tests on its real disk.
var laptop = host.NewLocal(host.Sudo{})

// named is a change that does nothing.
type named struct{ Name string }

func (*named) About() About                                             { return About{Kind: "named"} }
func (c *named) String() string                                         { return "set " + c.Name }
func (*named) Backup(context.Context, *target.Target) error             { return nil }
func (*named) Apply(context.Context, *target.Target) error              { return nil }
func (*named) Revert(context.Context, *target.Target) ([]string, error) { return nil, nil }

func decode(kind string, raw json.RawMessage) (Change, error) {
	c := &named{}
	if kind != c.About().Kind {
		return nil, errors.New("unknown kind")
	}
	return c, json.Unmarshal(raw, c)
}

// planned is a journal of one change that was applied.
func planned(t *testing.T, dir string, started time.Time) *Journal {
	t.Helper()
	j := New(laptop, dir, Header{Command: "fix", Machine: "default", Started: started})
	seq, err := j.Plan(t.Context(), &named{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Update(t.Context(), seq, Applied); err != nil {
		t.Fatal(err)
	}
	return j
}

// What a killed program or a power loss may leave of the last line. Every line is
// synced before the next one is begun, so that no other can be torn.
func TestJournalWhoseLastLineIsTorn(t *testing.T) {
	type end struct {
		Live    bool
		Entries int
		Mark    Mark
	}
	for name, tt := range map[string]struct {
		cut  func(whole []byte) []byte
		want end
	}{
		"no_newline":         {func(b []byte) []byte { return append(b, `{"seq":2,"ma`...) }, end{true, 1, Applied}},
		"only_zeros":         {func(b []byte) []byte { return append(b, make([]byte, 300)...) }, end{true, 1, Applied}},
		"zeros_to_a_newline": {func(b []byte) []byte { return append(b, "\x00\x00\x00ge\":{}}\n"...) }, end{true, 1, Applied}},
		"hole_in_the_mark": {func(b []byte) []byte {
			copy(b[len(b)-20:], make([]byte, 10))
			return b
		}, end{true, 1, Planned}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := planned(t, dir, time.Unix(1, 0))
			data, err := os.ReadFile(j.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(j.Path, tt.cut(data), 0o600); err != nil {
				t.Fatal(err)
			}
			all, err := Read(t.Context(), laptop, dir, decode)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			if diff := cmp.Diff(tt.want, end{all[0].Undoable(), len(all[0].Entries), all[0].Entries[0].Mark}); diff != "" {
				t.Error(diff)
			}
			back := all[0]
			if err := errors.Join(back.Reopen(t.Context()), back.Update(t.Context(), 1, Reverted), back.Close(t.Context(), RolledBack)); err != nil {
				t.Fatal(err)
			}
			all, err = Read(t.Context(), laptop, dir, decode)
			if err != nil || all[0].End != RolledBack || all[0].Undoable() {
				t.Errorf("after the rollback: %+v %v", all, err)
			}
		})
	}
}

// A run that was killed before its journal's first change was whole has changed
// nothing: neither is it an error, nor is its file taken from a run that is
// just beginning.
func TestJournalThatWasNotBegun(t *testing.T) {
	const head = `{"schema":1,"id":"a","command":"fix","machine":"default","store":"","started":"2026-01-01T00:00:00Z"}` + "\n"
	for _, text := range []string{"", `{"schema":1`, "\x00\x00\x00\n", head, head + `{"seq":1,"mark":"pl`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "19700101T000001.000000000Z-fix.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := Read(t.Context(), laptop, dir, decode); len(all) != 0 || err != nil {
			t.Errorf("%q: %v %v", text, all, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A journal that another program has spoiled is named, with the line and in words of its own.
func TestJournalWithALineThatIsNone(t *testing.T) {
	dir := t.TempDir()
	j := planned(t, dir, time.Unix(1, 0))
	data, err := os.ReadFile(j.Path)
	if err != nil {
		t.Fatal(err)
	}
	for spoiled, want := range map[string]string{`[]`: "line 1: it is of the wrong type, array", `{"schema"=1}`: "line 1: it is not JSON at byte 10"} {
		if err := os.WriteFile(j.Path, append([]byte(spoiled+"\n"), data...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), laptop, dir, decode); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spoiled, err, want)
		}
	}
}

// The newest run is the one that was made last, whatever the clock said.
func TestJournalsWhereTheClockWasSetBack(t *testing.T) {
	dir := t.TempDir()
	for _, year := range []int{2031, 2026, 2026, 2040, 2025} {
		j := planned(t, dir, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		if err := j.Close(t.Context(), Done); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Read(t.Context(), laptop, dir, decode)
	if err != nil {
		t.Fatal(err)
	}
	var order []int
	for _, j := range all {
		order = append(order, j.Started.Year())
	}
	if diff := cmp.Diff([]int{2031, 2026, 2026, 2040, 2025}, order); diff != "" {
		t.Error(diff)
	}
}

// HOME may hold what a pattern would take for its own.
func TestJournalsInADirectoryWithAPatternForAName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `ho[m]e*\`, "journal")
	planned(t, dir, time.Unix(1, 0))
	if all, err := Read(t.Context(), laptop, dir, decode); len(all) != 1 || err != nil {
		t.Error(all, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"schema\":1,\"id\":\"x\"}\n{\"seq\":1,\"mark\":\"planned\",\"kind\":\"named\",\"change\":{\"Name\":\"a\"}}\n{\"end\":\"done\"}\n"))
	f.Add([]byte("{\"schema\":1}\n{\"seq\":3}\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := parse(data, decode)
		if err != nil {
			return
		}
		// Written again by our own means it reads the same.
		again := New(laptop, t.TempDir(), j.Header)
		for _, e := range j.Entries {
			seq, err := again.Plan(t.Context(), e.Change)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Update(t.Context(), seq, e.Mark); err != nil {
				t.Fatal(err)
			}
		}
		if len(j.Entries) == 0 {
			return
		}
		if err := again.Close(t.Context(), j.End); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(again.Path)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(text, decode)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(j.Changes(), back.Changes()); diff != "" || back.End != j.End {
			t.Errorf("%s end %q, was %q", diff, back.End, j.End)
		}
	})
}
