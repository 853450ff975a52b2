package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Edit is how a text was changed: in the new text, whose SHA-256 is Sum, New bytes at
// offset At took the place of Old.
type Edit struct {
	At  int    `json:",omitempty"`
	Old string `json:",omitempty"`
	New int    `json:",omitempty"`
	Sum string `json:",omitempty"`
}

// EditOf is the edit that makes after of before.
func EditOf(before, after []byte) Edit {
	at := commonPrefix(before, after)
	end := commonSuffix(before[at:], after[at:])
	return Edit{At: at, Old: string(before[at : len(before)-end]), New: len(after) - end - at, Sum: sum(after)}
}

// Made reports whether a text is the one that the edit has made.
func (e Edit) Made(text []byte) bool { return sum(text) == e.Sum }

// Undo is the text as it was before; ok is false if it has been changed since.
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
