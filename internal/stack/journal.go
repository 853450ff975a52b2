package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// A journal is one run's changes, on disk before each of them is applied: a
// file of JSON lines, 0600, in a directory of 0700. The first line is the
// Header; each further line either plans a change ("change" is set) or says what
// became of it; the last says how the run ended. A journal without an end is a
// run that was killed.
const journalSchema = 1

// maxJournal bounds what is read back: a journal is a handful of lines.
const maxJournal = 4 << 20

// Header says whose journal it is.
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

// The marks of a change, in the order in which they come.
const (
	Planned  Mark = "planned"
	Applied  Mark = "applied"
	Reverted Mark = "reverted"
)

// End is how a run ended.
type End string

// The ends of a run. Open is a run that was killed, or whose rollback failed;
// Undoing is one whose undo was killed, or failed.
const (
	Open       End = ""
	Done       End = "done"
	RolledBack End = "rolled-back"
	Undoing    End = "undoing"
	Undone     End = "undone"
)

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
	Change world.Change
}

// Journal is one run's record. A run that changes nothing leaves no file.
type Journal struct {
	Header
	Path    string
	Entries []Entry
	End     End
}

// Decoder makes a change from its kind and its JSON.
type Decoder func(kind string, raw json.RawMessage) (world.Change, error)

// NewJournal names a journal in dir; the file is made with the first change.
func NewJournal(dir string, h Header) *Journal {
	h.Schema = journalSchema
	h.ID = h.Started.UTC().Format("20060102T150405.000000000Z") + "-" + h.Command
	return &Journal{Header: h, Path: filepath.Join(dir, h.ID+".jsonl")}
}

// Plan writes down that a change is about to be applied.
func (j *Journal) Plan(c world.Change) (seq int, err error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("journal: %s: %w", c.Kind(), err)
	}
	if len(j.Entries) == 0 {
		if err := j.create(); err != nil {
			return 0, err
		}
	}
	seq = len(j.Entries) + 1
	if err := j.append(line{Seq: seq, Mark: Planned, Kind: c.Kind(), Change: raw}); err != nil {
		return 0, err
	}
	j.Entries = append(j.Entries, Entry{Seq: seq, Mark: Planned, Change: c})
	return seq, nil
}

// Update writes the change down again: what it did is now known better than
// when it was planned.
func (j *Journal) Update(seq int, mark Mark) error {
	e := &j.Entries[seq-1]
	raw, err := json.Marshal(e.Change)
	if err != nil {
		return fmt.Errorf("journal: %s: %w", e.Change.Kind(), err)
	}
	if err := j.append(line{Seq: seq, Mark: mark, Kind: e.Change.Kind(), Change: raw}); err != nil {
		return err
	}
	e.Mark = mark
	return nil
}

// Close writes down how the run ended. A run without changes has no file and needs no end.
func (j *Journal) Close(end End) error {
	if len(j.Entries) == 0 {
		return nil
	}
	j.End = end
	return errors.Join(j.giveRoom(), j.append(line{End: end}))
}

func (j *Journal) create() error {
	if err := os.MkdirAll(filepath.Dir(j.Path), 0o700); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	head, err := json.Marshal(j.Header)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(j.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = finish(f, append(head, '\n'))
	if err == nil {
		err = j.keepRoom()
	}
	if err != nil {
		return errors.Join(err, os.Remove(j.Path)) // nothing has been changed
	}
	return nil
}

func (j *Journal) append(l line) error {
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(j.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return finish(f, append(data, '\n'))
}

func finish(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// ParseJournal reads a journal's text. A last line without its newline was being
// written when the program was killed: it is as if it had never been begun.
func ParseJournal(data []byte, decode Decoder) (*Journal, error) {
	if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
		data = data[:i]
	} else {
		return nil, errors.New("the journal has no first line")
	}
	lines := bytes.Split(data, []byte{'\n'})
	j := &Journal{}
	if err := json.Unmarshal(lines[0], &j.Header); err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	if j.Schema != journalSchema {
		return nil, fmt.Errorf("schema %d is not known to this version", j.Schema)
	}
	for n, text := range lines[1:] {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, err)
		}
		if l.Seq == 0 {
			j.End = l.End
			continue
		}
		if l.Seq < 0 || l.Seq > len(j.Entries)+1 {
			return nil, fmt.Errorf("line %d: change %d is out of order", n+2, l.Seq)
		}
		c, err := decode(l.Kind, l.Change)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, err)
		}
		e := Entry{Seq: l.Seq, Mark: l.Mark, Change: c}
		if l.Seq > len(j.Entries) {
			j.Entries = append(j.Entries, e)
		} else {
			j.Entries[l.Seq-1] = e
		}
	}
	return j, nil
}

// Journals reads the journals in dir, oldest first. One that cannot be read is
// an error that names it; the others are returned all the same.
func Journals(dir string, decode Decoder) ([]*Journal, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	var all []*Journal
	var broken []error
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".jsonl" {
			continue
		}
		name := filepath.Join(dir, f.Name())
		j, err := readJournal(name, decode)
		switch {
		case err == nil:
			all = append(all, j)
		case errors.Is(err, fs.ErrNotExist):
		default:
			broken = append(broken, fmt.Errorf("reading journal %s: %w", name, err))
		}
	}
	return all, errors.Join(broken...)
}

func readJournal(name string, decode Decoder) (*Journal, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxJournal {
		return nil, fmt.Errorf("%d bytes is more than a journal has", info.Size())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte{'\n'}) {
		// Killed before the first line was whole: nothing had been changed.
		return nil, errors.Join(os.Remove(name), fs.ErrNotExist)
	}
	j, err := ParseJournal(data, decode)
	if err != nil {
		return nil, err
	}
	j.Path = name
	return j, nil
}

// repair cuts off a last line that was never finished, so that the next one
// does not run into it.
func (j *Journal) repair() error {
	data, err := os.ReadFile(j.Path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if i := bytes.LastIndexByte(data, '\n'); i+1 < len(data) {
		if err := os.Truncate(j.Path, int64(i+1)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	return nil
}

// Live says whether anything of the journal could still be taken back.
func (j *Journal) Live() bool {
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

// Unfinished says that the run, or its undo, was killed or failed halfway: what
// is left of it has to be taken back before anything else.
func (j *Journal) Unfinished() bool { return j.End == Open || j.End == Undoing }

// Changes lists the plans, one a line, for undo --list.
func (j *Journal) Changes() []string {
	out := make([]string, len(j.Entries))
	for i, e := range j.Entries {
		out[i] = e.Change.String()
	}
	return out
}

// takeBack reverts the newest change if it is c and was never finished.
func (j *Journal) takeBack(ctx context.Context, w *world.World, c world.Change) error {
	if len(j.Entries) == 0 || j.Entries[len(j.Entries)-1].Change != c {
		return nil // its backup failed: it was not even begun
	}
	e := j.Entries[len(j.Entries)-1]
	if _, err := c.Revert(ctx, w); err != nil {
		return err
	}
	w.Forget()
	return j.Update(e.Seq, Reverted)
}

// Revert takes the journal's changes back, newest first, and writes down each
// one that is. It goes on after an error, so that as much as possible is as
// before; the errors name what is left.
func (j *Journal) Revert(ctx context.Context, w *world.World, end End, sink Sink) (left []string, err error) {
	if err := errors.Join(j.giveRoom(), j.repair()); err != nil {
		return nil, err
	}
	if j.End == Done {
		if err := j.Close(Undoing); err != nil {
			return nil, err
		}
	}
	var failed []error
	for i := len(j.Entries) - 1; i >= 0; i-- {
		e := j.Entries[i]
		if e.Mark == Reverted {
			continue
		}
		sink.Event(Event{Kind: Reverting, Machine: j.Machine, Change: e.Change})
		kept, err := e.Change.Revert(ctx, w)
		w.Forget()
		left = append(left, kept...)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", strings.TrimSpace(e.Change.String()), err))
			continue
		}
		if err := j.Update(e.Seq, Reverted); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return left, errors.Join(failed...)
	}
	return left, j.Close(end)
}
