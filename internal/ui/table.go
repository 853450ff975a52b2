package ui

import (
	"strings"
)

const (
	// gap is what is between two columns of a table.
	gap = 3
	// maxPad is the longest cell that others are lined up with on a terminal: one
	// name of 200 characters must not push every row off the screen.
	maxPad = 32
	// minLast is the narrowest that the last column gets beside the others; on a
	// screen that is narrower it stands below them.
	minLast = 30
)

// Table writes rows below a head. The last column may be long: on a terminal it is
// broken into lines, in a pipe each row is one.
func (u *UI) Table(head []string, rows [][]string) {
	all := make([][]string, 0, len(rows)+1)
	for _, row := range append([][]string{head}, rows...) {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = strings.Join(strings.Fields(u.plain(clean(c), u.outTerm)), " ")
		}
		all = append(all, cells)
	}
	last := len(head) - 1
	widths, lead, longest := make([]int, last), 0, 0
	for i := range widths {
		for _, row := range all {
			if n := columnsOf(row[i]); n <= maxPad || !u.outTerm {
				widths[i] = max(widths[i], n)
			}
		}
		lead += widths[i] + gap
	}
	for _, row := range all {
		longest = max(longest, columnsOf(row[last]))
	}
	room := longest
	if u.outTerm {
		room = u.width(u.out) - lead
	}
	below := room < min(longest, minLast)
	var b strings.Builder
	for n, row := range all {
		var line strings.Builder
		for i, w := range widths {
			line.WriteString(pad(row[i], w) + strings.Repeat(" ", gap))
		}
		switch {
		case !below:
			for i, part := range wrap(row[last], room) {
				if i > 0 {
					line.WriteString("\n" + strings.Repeat(" ", lead))
				}
				line.WriteString(part)
			}
		case n > 0 && row[last] != "-":
			for _, part := range wrap(row[last], u.width(u.out)-2) {
				line.WriteString("\n  " + part)
			}
		}
		for _, l := range strings.Split(line.String(), "\n") {
			b.WriteString(strings.TrimRight(l, " ") + "\n")
		}
	}
	u.Print(b.String())
}
