package ui

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
)

type mark struct {
	utf8, ascii string
	colour      color.Attribute
}

func markOf(s stack.Status) mark {
	switch s {
	case stack.OK:
		return mark{"✓", "+", color.FgGreen}
	case stack.Warn:
		return mark{"!", "!", color.FgYellow}
	case stack.Fail:
		return mark{"✗", "x", color.FgRed}
	case stack.Blocked:
		return mark{"·", ".", color.Faint}
	}
	return mark{"?", "?", color.FgMagenta}
}

// nameWidth is the longest name of a layer.
const nameWidth = 8

// minText is the narrowest column that text is wrapped in.
const minText = 20

// Ladder writes a report, one rung a line: mark, name, title; hints below.
func (u *UI) Ladder(r stack.Report) {
	p, columns := u.paint(u.outTerm), u.width(u.out)
	var b strings.Builder
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
		if l.Status == stack.Blocked {
			b.WriteString(lead + p(color.Faint, "blocked by "+l.BlockedBy) + "\n")
			continue
		}
		for _, f := range l.Findings {
			title, weight := u.plain(clean(f.Title), u.outTerm), func(s string) string { return s }
			if !marked && f.Code == r.Cause && r.Status != stack.Warn {
				title, marked = title+" (the cause)", true
				weight = func(s string) string { return p(color.Bold, s) }
			}
			for _, line := range wrap(title, columns-len(indent)) {
				b.WriteString(lead + weight(line) + "\n")
				lead = indent
			}
			if f.Hint != "" && f.Status != stack.OK {
				// A hint is pasted: it is never broken into lines.
				for _, line := range strings.Split(clean(f.Hint), "\n") {
					margin := indent
					if u.outTerm && len(indent)+utf8.RuneCountInString(line) > columns {
						// So that the screen breaks it as rarely as can be.
						margin = strings.Repeat(" ", min(max(columns-utf8.RuneCountInString(line), 2), 4))
					}
					b.WriteString(margin + p(color.FgCyan, line) + "\n")
				}
			}
		}
	}
	u.Print(b.String())
}

func pad(s string, n int) string {
	if c := utf8.RuneCountInString(s); c < n {
		return s + strings.Repeat(" ", n-c)
	}
	return s
}

// wrap breaks text between words; a longer word stays whole.
func wrap(text string, width int) []string {
	width = max(width, minText)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
