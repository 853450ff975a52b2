package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

const suffix = ".jsonl"

// errUnbegun is a run that was killed before the first change in its journal was
// whole: it had changed nothing.
var errUnbegun = errors.New("the journal has no change in it")

// parse reads a journal's text. A last line that is not whole was being
// written when the program was killed or the power went: it is as if it had never
// been begun.
func parse(data []byte, decode Decoder) (*Journal, error) {
	whole := wholeLines(data)
	if len(whole) == 0 {
		return nil, errUnbegun
	}
	lines := bytes.Split(bytes.TrimSuffix(whole, []byte{'\n'}), []byte{'\n'})
	j := &Journal{size: int64(len(whole))}
	if err := json.Unmarshal(lines[0], &j.Header); err != nil {
		return nil, fmt.Errorf("line 1: %w", text.JSONError(err))
	}
	if j.Schema != schema {
		return nil, fmt.Errorf("schema %d is not known to this version", j.Schema)
	}
	for n, data := range lines[1:] {
		if err := j.read(data, decode); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, err)
		}
	}
	if len(j.Entries) == 0 {
		return nil, errUnbegun
	}
	return j, nil
}

// wholeLines cuts off a last line without its newline, or in which a power loss has
// left a hole: the file's new length may be on the disk before all of its text.
func wholeLines(data []byte) []byte {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil
	}
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	if !json.Valid(data[last:]) {
		return data[:last]
	}
	return data
}

func (j *Journal) read(data []byte, decode Decoder) error {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return text.JSONError(err)
	}
	if l.Seq == 0 {
		j.End = l.End
		return nil
	}
	if l.Seq < 0 || l.Seq > len(j.Entries)+1 {
		return fmt.Errorf("change %d is out of order", l.Seq)
	}
	c, err := decode(l.Kind, l.Change)
	if err != nil {
		return err
	}
	e := Entry{Seq: l.Seq, Mark: l.Mark, Change: c}
	if l.Seq > len(j.Entries) {
		j.Entries = append(j.Entries, e)
	} else {
		j.Entries[l.Seq-1] = e
	}
	return nil
}

// Read reads the journals in dir, oldest first. One that cannot be read is
// an error that names it; the others are returned all the same.
func Read(ctx context.Context, l host.Laptop, dir string, decode Decoder) ([]*Journal, error) {
	names, err := list(ctx, l, dir)
	if err != nil {
		return nil, err
	}
	var all []*Journal
	var broken []error
	for _, name := range names {
		path := filepath.Join(dir, name)
		j, err := readJournal(ctx, l, path, decode)
		switch {
		case err == nil:
			all = append(all, j)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errUnbegun):
		default:
			broken = append(broken, fmt.Errorf("reading journal %s: %w", path, err))
		}
	}
	return all, errors.Join(broken...)
}

// list lists the journals in dir, oldest first.
func list(ctx context.Context, l host.Laptop, dir string) ([]string, error) {
	entries, err := l.ReadDir(ctx, dir) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func readJournal(ctx context.Context, l host.Laptop, path string, decode Decoder) (*Journal, error) {
	data, err := l.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	j, err := parse(data, decode)
	if err != nil {
		return nil, err
	}
	j.Path, j.laptop = path, l
	return j, nil
}
