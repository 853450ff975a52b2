// Package journal records each change on disk before it is made, so that it can be reverted even if
// the program is killed.
package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// schema is the version of a journal's format. A journal records one run: a file of JSON lines with
// mode 0600, in a directory with mode 0700. The first line is the Header. Each line after it either
// plans a change ("change" is set) or records what became of it. The last line is the End of the
// run; it is missing if the run was killed.
const schema = 1

// Header describes the run.
type Header struct {
	Schema  int       `json:"schema"`
	ID      string    `json:"id"`
	Command string    `json:"command"`
	Machine string    `json:"machine"`
	Store   string    `json:"store"`
	Started time.Time `json:"started"`
}

// Mark is what became of a planned change.
type Mark string

// The marks of a change, in their order.
const (
	Planned  Mark = "planned"
	Applied  Mark = "applied"
	Reverted Mark = "reverted"
)

// End is how a run ended.
type End string

// The ends of a run. Open means none yet: the run is under way, was killed, or could not be rolled
// back. Undoing means the same for the undo of a finished run.
const (
	Open       End = ""
	Done       End = "done"
	RolledBack End = "rolled-back"
	Undoing    End = "undoing"
	Undone     End = "undone"
)

// line is any line of a journal after the first.
type line struct {
	Seq    int             `json:"seq,omitempty"`
	Mark   Mark            `json:"mark,omitempty"`
	Kind   string          `json:"kind,omitempty"`
	Change json.RawMessage `json:"change,omitempty"`
	End    End             `json:"end,omitempty"`
}

// Entry is one change of a journal.
type Entry struct {
	Seq    int
	Mark   Mark
	Change Change
}

// Journal is the record of one run. A run that changes nothing leaves no file.
type Journal struct {
	Header
	Path    string
	Entries []Entry
	End     End

	laptop host.Laptop
	size   int64 // of the file up to its last complete line, in bytes
}

// Decoder returns the change of that kind with those JSON fields.
type Decoder func(kind string, raw json.RawMessage) (Change, error)

// Dir returns the directory of the journals in a state directory.
func Dir(stateDir string) string { return filepath.Join(stateDir, "journal") }

// New returns an empty journal in dir. Its file is created with the first change.
func New(l host.Laptop, dir string, h Header) *Journal {
	h.Schema = schema
	j := &Journal{Header: h, laptop: l}
	j.name(dir, h.Started.UTC())
	return j
}

// timeFormat is the format of the time at the start of a journal's name, so that names sort by age.
const timeFormat = "20060102T150405.000000000Z"

func (j *Journal) name(dir string, at time.Time) {
	j.ID = at.Format(timeFormat) + "-" + j.Command
	j.Path = filepath.Join(dir, j.ID+suffix)
}

// sortLast renames a journal that would sort before an older one because the clock was set back:
// undo must find the newest run last.
func (j *Journal) sortLast(ctx context.Context) error {
	dir := filepath.Dir(j.Path)
	names, err := list(ctx, j.laptop, dir)
	if err != nil || len(names) == 0 {
		return err
	}
	begins, _, _ := strings.Cut(names[len(names)-1], "-")
	if newest, err := time.Parse(timeFormat, begins); err == nil && !j.Started.After(newest) {
		j.name(dir, newest.Add(1))
	}
	return nil
}

// Plan records that a change is about to be applied. seq identifies the change in Update.
func (j *Journal) Plan(ctx context.Context, c Change) (seq int, err error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("journal: %s: %w", c.About().Kind, err)
	}
	seq = len(j.Entries) + 1
	first := line{Seq: seq, Mark: Planned, Kind: c.About().Kind, Change: raw}
	if seq == 1 {
		err = j.create(ctx, first)
	} else {
		err = j.append(ctx, first)
	}
	if err != nil {
		return 0, err
	}
	j.Entries = append(j.Entries, Entry{Seq: seq, Mark: Planned, Change: c})
	return seq, nil
}

// Update records the change again, with its new mark and with what has become known since it was
// planned.
func (j *Journal) Update(ctx context.Context, seq int, mark Mark) error {
	e := &j.Entries[seq-1]
	raw, err := json.Marshal(e.Change)
	if err != nil {
		return fmt.Errorf("journal: %s: %w", e.Change.About().Kind, err)
	}
	if err := j.append(ctx, line{Seq: seq, Mark: mark, Kind: e.Change.About().Kind, Change: raw}); err != nil {
		return err
	}
	e.Mark = mark
	return nil
}

// Close records how the run ended. A run without changes has no file and needs no end.
func (j *Journal) Close(ctx context.Context, end End) error {
	if len(j.Entries) == 0 {
		return nil
	}
	if err := errors.Join(j.releaseSpace(ctx), j.append(ctx, line{End: end})); err != nil {
		return err
	}
	j.End = end
	return nil
}

// create writes the header and the first change. If it fails it leaves no file, since nothing has
// been changed.
func (j *Journal) create(ctx context.Context, first line) error {
	if err := j.laptop.MkdirAll(ctx, filepath.Dir(j.Path), 0o700); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := j.sortLast(ctx); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	data, err := jsonLines(j.Header, first)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = j.reserveSpace(ctx)
	if err == nil {
		err = j.laptop.WriteFile(ctx, j.Path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", errors.Join(err, j.releaseSpace(ctx), removeIfThere(ctx, j.laptop, j.Path)))
	}
	j.size = int64(len(data))
	return nil
}

// append adds a line after the last complete one. It overwrites what an earlier append that failed
// left there.
func (j *Journal) append(ctx context.Context, l line) error {
	data, err := jsonLines(l)
	if err == nil {
		err = j.laptop.Append(ctx, j.Path, j.size, data)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.size += int64(len(data))
	return nil
}

// Reopen prepares the journal of an earlier run for further lines. It cuts off an incomplete last
// line.
func (j *Journal) Reopen(ctx context.Context) error {
	if err := j.laptop.Append(ctx, j.Path, j.size, nil); err != nil {
		err = fmt.Errorf("journal: %w", err)
		return errors.Join(j.releaseSpace(ctx), err)
	}
	return j.releaseSpace(ctx)
}

func jsonLines(values ...any) ([]byte, error) {
	var b bytes.Buffer
	for _, v := range values {
		line, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes(), nil
}

// Undoable reports whether the run has changes that are not reverted yet.
func (j *Journal) Undoable() bool {
	if j.End == RolledBack || j.End == Undone {
		return false
	}
	for _, e := range j.Entries {
		if e.Mark != Reverted {
			return true
		}
	}
	return false
}

// Unfinished reports whether the run, or its undo, was killed or failed halfway. What is left of it
// must be undone before anything else.
func (j *Journal) Unfinished() bool { return j.End == Open || j.End == Undoing }

// File returns the journal's path; "" if the run has changed nothing.
func (j *Journal) File() string {
	if len(j.Entries) == 0 {
		return ""
	}
	return j.Path
}

// UnfinishedCommand returns the name of the command that did not finish: that of the run, or
// "undo".
func (j *Journal) UnfinishedCommand() string {
	if j.End == Undoing {
		return "undo"
	}
	return cmp.Or(j.Command, "run")
}

// NeedsDockerHost reports whether undoing the rest of the run needs the docker host.
func (j *Journal) NeedsDockerHost() bool {
	return slices.ContainsFunc(j.Entries, func(e Entry) bool { return e.Mark != Reverted && e.Change.About().NeedsDockerHost })
}

// Changes returns what each change does, for undo --list.
func (j *Journal) Changes() []string {
	out := make([]string, len(j.Entries))
	for i, e := range j.Entries {
		out[i] = e.Change.String()
	}
	return out
}
