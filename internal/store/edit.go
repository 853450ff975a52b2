package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Edit is a change of a text. In the new text, which has the SHA-256 Sum, New bytes at offset At
// replace the string Old.
type Edit struct {
	At  int    `json:",omitempty"`
	Old string `json:",omitempty"`
	New int    `json:",omitempty"`
	Sum string `json:",omitempty"`
}

// EditOf returns the Edit that turns before into after.
func EditOf(before, after []byte) Edit {
	at := commonPrefix(before, after)
	end := commonSuffix(before[at:], after[at:])
	return Edit{At: at, Old: string(before[at : len(before)-end]), New: len(after) - end - at, Sum: sum(after)}
}

// Made reports whether a text is the result of the edit.
func (e Edit) Made(text []byte) bool { return sum(text) == e.Sum }

// Undo returns the text as it was before the edit; ok is false if the text has been changed since.
func (e Edit) Undo(text []byte) (before []byte, ok bool) {
	if !e.Made(text) || e.At < 0 || e.New < 0 || e.At > len(text)-e.New {
		return nil, false
	}
	return slices.Concat(text[:e.At], []byte(e.Old), text[e.At+e.New:]), true
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
