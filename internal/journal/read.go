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

// errNoChange means that a run was killed before the first change in its journal was written: it
// changed nothing.
var errNoChange = errors.New("the journal has no change in it")

// parse reads a journal's text. It ignores an incomplete last line, which was being written when
// the program was killed or the power failed.
func parse(data []byte, decode Decoder) (*Journal, error) {
	whole := wholeLines(data)
	if len(whole) == 0 {
		return nil, errNoChange
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
		return nil, errNoChange
	}
	return j, nil
}

// wholeLines cuts off a last line that has no newline, or that is not valid: after a power failure
// the file may have its new length, but not all of its text.
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

// read adds what a line after the first one records.
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

// Read returns the journals in dir, oldest first. If some cannot be read, it returns the others and
// an error that names those.
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
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoChange):
		default:
			broken = append(broken, fmt.Errorf("reading journal %s: %w", path, err))
		}
	}
	return all, errors.Join(broken...)
}

// list returns the names of the journals in dir, oldest first.
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
