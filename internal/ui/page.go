package ui

import (
	"io"
	"strings"

	"github.com/fatih/color"
)

// maxProse is the maximum width of prose, in columns: longer lines are hard to read.
const maxProse = 100

// Page writes a title and a text to standard output. The text has paragraphs, lists ("- ") and
// commands (lines indented by four spaces). Words between backticks are colored or quoted. On a
// terminal, prose is wrapped at its width; commands are never wrapped.
func (u *UI) Page(title, text string) {
	u.Print(u.page(title, text, u.out, u.outTerm))
}

// PageOnStderr is Page to standard error, for when standard output has another program's output.
func (u *UI) PageOnStderr(title, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
	_, _ = io.WriteString(u.err, "\n"+u.page(title, text, u.err, u.errTerm))
}

func (u *UI) page(title, text string, stream io.Writer, terminal bool) string {
	p, columns := u.paint(terminal), u.width(stream)
	if terminal {
		columns = min(columns, maxProse)
	}
	var b strings.Builder
	b.WriteString(p(color.Bold, title) + "\n")
	for _, block := range strings.Split(strings.Trim(clean(text), "\n"), "\n\n") {
		b.WriteString("\n")
		switch {
		case strings.HasPrefix(block, "    "):
			for _, line := range strings.Split(block, "\n") {
				b.WriteString("    " + p(color.FgCyan, strings.TrimPrefix(line, "    ")) + "\n")
			}
		case strings.HasPrefix(block, "- "):
			for _, item := range strings.Split("\n"+block, "\n- ")[1:] {
				b.WriteString(u.prose(item, columns, "  - ", "    ", p))
			}
		default:
			b.WriteString(u.prose(u.plain(block, terminal), columns, "", "", p))
		}
	}
	return b.String()
}

// Lines writes a result of lines. On a terminal a long line is wrapped, and its continuation is
// indented by two more columns. In a pipe lines are not wrapped.
func (u *UI) Lines(lines ...string) {
	columns := u.width(u.out)
	var b strings.Builder
	for _, line := range lines {
		line = u.plain(clean(line), u.outTerm)
		if columnsOf(line) <= columns {
			b.WriteString(line + "\n")
			continue
		}
		text := strings.TrimLeft(line, " ")
		lead := line[:len(line)-len(text)]
		for i, part := range Wrap(text, columns-len(lead)-2) {
			if i > 0 {
				part = "  " + part
			}
			b.WriteString(lead + part + "\n")
		}
	}
	u.Print(b.String())
}

// Columns returns the width of the screen for results.
func (u *UI) Columns() int { return u.width(u.out) }

// prose wraps a paragraph. lead is written before the first line, indent before the others.
func (u *UI) prose(text string, columns int, lead, indent string, p func(color.Attribute, string) string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 { // between backticks
			if quoted(part) && p(color.FgCyan, part) == part {
				part = "'" + part + "'" // without color, only quotes set it off
			}
			part = codeWord + strings.Join(strings.Fields(part), " "+codeWord)
		}
		b.WriteString(part)
	}
	var out strings.Builder
	for i, line := range Wrap(b.String(), columns-len(indent)) {
		if i > 0 {
			lead = indent
		}
		out.WriteString(lead)
		for j, word := range strings.Split(line, " ") {
			if j > 0 {
				out.WriteString(" ")
			}
			before, code, isCode := strings.Cut(word, codeWord)
			out.WriteString(before)
			if isCode {
				out.WriteString(p(color.FgCyan, code))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// quoted reports whether a command or a message needs quotes to be set off from prose. A file's
// name or a finding's code does not.
func quoted(code string) bool {
	return strings.Contains(code, " ") || !strings.ContainsAny(code, "./_-")
}

// codeWord marks a word between backticks until it is written. It has no width, and clean has
// removed it from all texts.
const codeWord = "\x00"
