package ui

import (
	"strings"
)

const (
	// gap is the space between two columns of a table.
	gap = 3
	// maxPad is the longest cell to which others are aligned on a terminal: one name of 200
	// characters must not push every row off the screen.
	maxPad = 32
	// minLast is the minimum width of the last column beside the others. On a narrower screen it is
	// below them.
	minLast = 30
)

// Table writes rows below a head. On a terminal the last column is wrapped; in a pipe each row is
// one line.
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
	if u.outTerm && lead > u.width(u.out) {
		u.stacked(all[0], all[1:])
		return
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
			for i, part := range Wrap(row[last], room) {
				if i > 0 {
					line.WriteString("\n" + strings.Repeat(" ", lead))
				}
				line.WriteString(part)
			}
		case n > 0 && row[last] != "-":
			for _, part := range Wrap(row[last], u.width(u.out)-2) {
				line.WriteString("\n  " + part)
			}
		}
		for _, l := range strings.Split(line.String(), "\n") {
			b.WriteString(strings.TrimRight(l, " ") + "\n")
		}
	}
	u.Print(b.String())
}

// Field is a line of Fields. If Name is "", it continues the field before.
type Field struct{ Name, Text string }

// Fields writes names and texts side by side, with the texts wrapped at the terminal's width.
func (u *UI) Fields(fields []Field) {
	names := 0
	for _, f := range fields {
		names = max(names, columnsOf(f.Name))
	}
	lead := strings.Repeat(" ", names+2)
	room := u.width(u.out) - len(lead)
	if room < minText {
		lead, room = "  ", u.width(u.out)-2
	}
	var b strings.Builder
	for _, f := range fields {
		text := u.plain(clean(f.Text), u.outTerm)
		for i, line := range breakWords(Wrap(text, room), room) {
			switch {
			case i > 0 || f.Name == "":
				b.WriteString(lead)
			case len(lead) < names:
				b.WriteString(f.Name + "\n" + lead)
			default:
				b.WriteString(pad(f.Name, names) + "  ")
			}
			b.WriteString(line + "\n")
		}
	}
	u.Print(b.String())
}

// breakWords breaks lines that consist of one long word, such as a fingerprint.
func breakWords(lines []string, width int) (out []string) {
	for _, line := range lines {
		if columnsOf(line) <= width || strings.Contains(line, " ") {
			out = append(out, line)
			continue
		}
		part := ""
		for _, r := range line {
			if columnsOf(part+string(r)) > width && part != "" {
				out, part = append(out, part), ""
			}
			part += string(r)
		}
		out = append(out, part)
	}
	return out
}

// stacked writes the cells of each row below one another, for a screen that is too narrow for
// columns.
func (u *UI) stacked(head []string, rows [][]string) {
	for _, row := range rows {
		u.Print(row[0] + "\n")
		var fields []Field
		for i, cell := range row[1:] {
			if cell != "-" {
				fields = append(fields, Field{Name: "  " + strings.ToLower(head[i+1]), Text: cell})
			}
		}
		u.Fields(fields)
	}
}
