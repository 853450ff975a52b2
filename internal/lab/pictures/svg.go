// Package pictures draws a terminal's screen as an SVG picture, for the documentation.
package pictures

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Theme has the colors of a picture.
type Theme struct {
	Name, Background, Border, Text string
	// Colors are for SGR 31 to 36.
	Colors [6]string
}

// Themes are the themes in which every picture is made.
var Themes = []Theme{
	{"dark", "#0d1117", "#30363d", "#e6edf3", [6]string{"#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf"}},
	{"light", "#ffffff", "#d0d7de", "#1f2328", [6]string{"#cf222e", "#1a7f37", "#9a6700", "#0969da", "#8250df", "#1b7c83"}},
}

// The grid, in pixels: the width of a character, the height of a line, and the margin. A picture is
// at least as wide as a terminal, so that all pictures on a page have letters of one size.
const (
	cell   = 8.4
	line   = 19
	margin = 16
	least  = 80 // columns
)

// SVG draws a screen of plain text and SGR sequences, as `tmux capture-pane -e` prints it. Every
// piece of text has its position and length, so that columns are straight in any font.
func SVG(title, screen string, theme Theme) string {
	var body strings.Builder
	var pen style
	columns, rows := least, 0
	for row, text := range strings.Split(strings.TrimLeft(screen, "\n"), "\n") {
		at := 0
		for _, p := range pen.pieces(text) {
			n := utf8.RuneCountInString(p.text)
			if strings.TrimSpace(p.text) != "" {
				fmt.Fprintf(&body, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
					margin+float64(at)*cell, margin+row*line+14, float64(n)*cell, p.attributes(theme), html.EscapeString(p.text))
				rows = row + 1
			}
			at += n
		}
		columns = max(columns, at)
	}
	width, height := float64(columns)*cell+2*margin, rows*line+2*margin
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img">
<title>%s</title>
<rect x="0.5" y="0.5" width="%.0f" height="%d" rx="8" fill="%s" stroke="%s"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="%s" xml:space="preserve">
%s</g>
</svg>
`, width, height, width, height, html.EscapeString(title), width-1, height-1, theme.Background, theme.Border, theme.Text, body.String())
}

// style is what SGR sequences have set.
type style struct {
	bold, dim bool
	color     int // 0 is the theme's text color
}

// piece is text of one style.
type piece struct {
	style
	text string
}

// pieces splits a line where its style changes.
func (s *style) pieces(line string) (all []piece) {
	for line != "" {
		text, sequence, found := strings.Cut(line, "\x1b[")
		if text != "" {
			all = append(all, piece{*s, text})
		}
		if !found {
			break
		}
		codes, rest, _ := strings.Cut(sequence, "m")
		for _, code := range strings.Split(codes, ";") {
			s.set(code)
		}
		line = rest
	}
	return all
}

func (s *style) set(code string) {
	switch code {
	case "", "0":
		*s = style{}
	case "1":
		s.bold = true
	case "2":
		s.dim = true
	case "22":
		s.bold, s.dim = false, false
	case "39":
		s.color = 0
	case "31", "32", "33", "34", "35", "36":
		s.color = int(code[1] - '0')
	}
}

func (s style) attributes(theme Theme) (text string) {
	if s.color > 0 {
		text += fmt.Sprintf(` fill="%s"`, theme.Colors[s.color-1])
	}
	if s.bold {
		text += ` font-weight="bold"`
	}
	if s.dim {
		text += ` opacity="0.65"`
	}
	return text
}
