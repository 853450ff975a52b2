package ui

import (
	"fmt"
	"strings"

	"github.com/fatih/color"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

type mark struct {
	utf8, ascii string
	colour      color.Attribute
}

func markOf(s engine.Status) mark {
	switch s {
	case engine.OK:
		return mark{"✓", "+", color.FgGreen}
	case engine.Warn:
		return mark{"!", "!", color.FgYellow}
	case engine.Fail:
		return mark{"✗", "x", color.FgRed}
	case engine.Blocked, engine.Skipped:
		return mark{"–", "-", color.Faint}
	}
	return mark{"?", "?", color.FgMagenta}
}

const (
	// nameWidth is the length of doctor's longest layer name.
	nameWidth = 8
	// minText is the minimum width for text beside a name. On a narrower screen the text is below
	// the name.
	minText = 20
	// maxCodeColumn is the rightmost column at which the codes are aligned.
	maxCodeColumn = 72
)

// Checks writes layers as Report does, but below a given verdict.
func (u *UI) Checks(verdict string, r engine.Report) {
	var b strings.Builder
	colour := color.FgRed
	if r.Verdict == engine.OK {
		colour = color.FgGreen
	}
	u.verdict(&b, r.Name(), colour, verdict)
	u.lines(&b, u.rows(r))
	u.Print(b.String())
}

// Step is the one thing to do next: a label such as "Fix it:" and a command line, which may have
// several lines.
type Step struct{ Label, Command string }

// row is one line of a report: a finding, or why a layer was not checked.
type row struct {
	layer  string // "" for a layer's second finding
	status engine.Status
	text   string
	code   string // "" if nothing is wrong
	cause  bool
}

// Report writes whether docker works, one line for each finding (mark, layer, title, code), and
// what to do next.
func (u *UI) Report(r engine.Report, next Step) {
	p, columns := u.paint(u.outTerm), u.width(u.out)
	var b strings.Builder
	if u.reports++; u.reports > 1 {
		b.WriteString("\n")
	}
	u.headline(&b, r)
	u.lines(&b, u.rows(r))
	if next.Command != "" {
		// A command is for copying, so it is never wrapped.
		label := next.Label + "  "
		for _, line := range strings.Split(clean(next.Command), "\n") {
			if u.outTerm && columnsOf(label+line) > columns {
				label = strings.TrimRight(label, " ") + "\n"
			}
			b.WriteString(label + p(color.FgCyan, line) + "\n")
			label = strings.Repeat(" ", columnsOf(next.Label)+2)
		}
	}
	u.Print(b.String())
}

// lines writes rows, with their layers in a column.
func (u *UI) lines(b *strings.Builder, rows []row) {
	names := nameWidth
	for _, w := range rows {
		names = max(names, columnsOf(w.layer))
	}
	p, columns := u.paint(u.outTerm), u.width(u.out)
	indent := strings.Repeat(" ", 2+1+1+names+1)
	below := columns-len(indent) < minText
	if below {
		indent = "    "
	}
	room := columns - len(indent)
	codes := codeColumn(rows, room)
	for _, w := range rows {
		lead := fmt.Sprintf("  %s %s ", u.mark(w.status), pad(w.layer, names))
		if below {
			lead = fmt.Sprintf("  %s %s\n    ", u.mark(w.status), w.layer)
		}
		lines := Wrap(w.text, room)
		for i, line := range lines {
			b.WriteString(lead + u.emphasize(w, line))
			if lead = indent; i < len(lines)-1 {
				b.WriteString("\n")
			}
		}
		if w.code != "" {
			length := columnsOf(lines[len(lines)-1])
			gap := strings.Repeat(" ", max(codes-length, 2))
			if length+len(gap)+len(w.code) > room {
				gap = "\n" + indent
			}
			b.WriteString(gap + p(color.Faint, w.code))
		}
		b.WriteString("\n")
	}
}

// headline writes whether docker works, and at which address.
func (u *UI) headline(b *strings.Builder, r engine.Report) {
	colour, verdict := color.FgRed, "docker is unreachable"
	switch {
	case r.Elsewhere():
		colour, verdict = color.FgYellow, "dockerd works"
	case r.Verdict == engine.OK:
		colour, verdict = color.FgGreen, "docker works"
	case r.Verdict == engine.Unknown:
		colour, verdict = color.FgMagenta, "could not tell whether docker works"
	}
	if r.EndpointNow != "" {
		verdict += " at " + clean(r.EndpointNow)
	}
	if r.Elsewhere() {
		verdict += ", but this shell does not use it"
	}
	u.verdict(b, r.Name(), colour, verdict)
}

// verdict writes the first line about a docker host.
func (u *UI) verdict(b *strings.Builder, name string, colour color.Attribute, verdict string) {
	p := u.paint(u.outTerm)
	name = clean(name)
	lines := Wrap(verdict, u.width(u.out)-columnsOf(name)-2)
	fmt.Fprintf(b, "%s  %s\n", p(color.Bold, name), p(colour, lines[0]))
	for _, line := range lines[1:] {
		b.WriteString("  " + p(colour, line) + "\n")
	}
}

// rows returns the lines of a report.
func (u *UI) rows(r engine.Report) []row {
	var out []row
	marked := r.Status == engine.Warn // mark the cause once, and not at all if it is a warning
	for _, l := range r.Layers {
		switch l.Status {
		case engine.Blocked:
			out = append(out, row{layer: l.Layer, status: l.Status, text: "not checked: needs " + l.BlockedBy})
			continue
		case engine.Skipped:
			out = append(out, row{layer: l.Layer, status: l.Status, text: clean("skipped: " + l.Skipped)})
			continue
		}
		for i, f := range l.Findings {
			w := row{layer: l.Layer, status: f.Status, text: u.plain(clean(f.Title), u.outTerm)}
			if i > 0 {
				w.layer = ""
			}
			if f.Status != engine.OK {
				w.code = f.Code
			}
			if !marked && f.Code == r.Cause && r.Cause != "" {
				w.cause, marked = true, true
			}
			out = append(out, w)
		}
	}
	return out
}

// codeColumn returns the column at which the codes of a report begin: after its longest line that
// leaves room for a code.
func codeColumn(rows []row, room int) int {
	column := 0
	for _, w := range rows {
		n := columnsOf(w.text) + 3
		if w.code != "" && n <= maxCodeColumn && n+len(w.code) <= room {
			column = max(column, n)
		}
	}
	return column
}

// mark returns the sign of a status, in its color.
func (u *UI) mark(s engine.Status) string {
	m := markOf(s)
	glyph := m.ascii
	if u.utf8(u.outTerm) {
		glyph = m.utf8
	}
	return u.paint(u.outTerm)(m.colour, glyph)
}

// emphasize makes the root cause bold, and what was not checked faint.
func (u *UI) emphasize(w row, line string) string {
	switch {
	case w.cause:
		return u.paint(u.outTerm)(color.Bold, line)
	case w.status == engine.Blocked, w.status == engine.Skipped:
		return u.paint(u.outTerm)(color.Faint, line)
	}
	return line
}
