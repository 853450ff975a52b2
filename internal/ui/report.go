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
	case engine.Blocked:
		return mark{"·", ".", color.Faint}
	case engine.Skipped:
		return mark{"–", "-", color.Faint}
	}
	return mark{"?", "?", color.FgMagenta}
}

// nameWidth is the longest name of a layer.
const nameWidth = 8

// minText is the narrowest column that text is wrapped in beside a name; on a
// screen that is narrower it stands below it.
const minText = 20

// Report writes a report, one layer a line: mark, name, title; hints below.
func (u *UI) Report(r engine.Report) {
	p, columns := u.paint(u.outTerm), u.width(u.out)
	var b strings.Builder
	if u.reports++; u.reports > 1 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s  %s\n", p(color.Bold, clean(r.Machine)), clean(r.Endpoint))
	marked := false
	for _, l := range r.Layers {
		m := markOf(l.Status)
		glyph := m.ascii
		if u.utf8(u.outTerm) {
			glyph = m.utf8
		}
		lead := fmt.Sprintf("  %s %s ", p(m.colour, glyph), pad(l.Layer, nameWidth))
		indent := strings.Repeat(" ", 2+1+1+nameWidth+1)
		if columns-len(indent) < minText {
			lead, indent = fmt.Sprintf("  %s %s\n    ", p(m.colour, glyph), l.Layer), "    "
		}
		if l.Status == engine.Blocked {
			b.WriteString(lead + p(color.Faint, "blocked by "+l.BlockedBy) + "\n")
			continue
		}
		if l.Status == engine.Skipped {
			for _, line := range wrap("skipped: "+l.Skipped, columns-len(indent)) {
				b.WriteString(lead + p(color.Faint, line) + "\n")
				lead = indent
			}
			continue
		}
		for _, f := range l.Findings {
			title, weight := u.plain(clean(f.Title), u.outTerm), func(s string) string { return s }
			if !marked && f.Code == r.Cause && r.Status != engine.Warn {
				title, marked = title+" (the cause)", true
				weight = func(s string) string { return p(color.Bold, s) }
			}
			for _, line := range wrap(title, columns-len(indent)) {
				b.WriteString(lead + weight(line) + "\n")
				lead = indent
			}
			if f.Hint != "" && f.Status != engine.OK {
				// A hint is pasted: it is never broken into lines.
				for _, line := range strings.Split(clean(f.Hint), "\n") {
					margin := indent
					if n := columnsOf(line); u.outTerm && len(indent)+n > columns {
						// So that the screen breaks it as rarely as can be.
						margin = strings.Repeat(" ", min(max(columns-n, 2), 4))
					}
					b.WriteString(margin + p(color.FgCyan, line) + "\n")
				}
			}
		}
	}
	u.Print(b.String())
}
