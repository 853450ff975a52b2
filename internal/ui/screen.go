package ui

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/fatih/color"
	"golang.org/x/term"
)

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint is a function that colors a text, or leaves it as it is.
func (u *UI) paint(terminal bool) func(color.Attribute, string) string {
	on := terminal && u.getenv("NO_COLOR") == "" && u.getenv("TERM") != "dumb"
	switch u.Color {
	case Always:
		on = true
	case Never:
		on = false
	}
	if !on {
		return func(_ color.Attribute, s string) string { return s }
	}
	return func(a color.Attribute, s string) string {
		c := color.New(a)
		c.EnableColor()
		return c.Sprint(s)
	}
}

// endless is the width of what is no screen: a line stays a line, for grep.
const endless = 1 << 16

// width of the screen that a stream leads to, in columns.
func (u *UI) width(stream io.Writer) int {
	if u.columns != nil {
		return u.columns()
	}
	if f, ok := stream.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	if w, err := strconv.Atoi(u.getenv("COLUMNS")); err == nil && w > 0 {
		return w
	}
	if !isTerminal(stream) {
		return endless
	}
	return 80 // the terminal reports no width
}

// utf8 reports whether marks outside ASCII can be shown. Only a terminal may be without
// them: what reads a pipe takes UTF-8.
func (u *UI) utf8(terminal bool) bool {
	if !terminal {
		return true
	}
	for _, key := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := u.getenv(key); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// plain spells clean's mark for a terminal without it. What came from outside is left
// as it is.
func (u *UI) plain(text string, terminal bool) string {
	if u.utf8(terminal) {
		return text
	}
	return strings.ReplaceAll(text, "�", "?")
}

// clean keeps what came from outside (names, error texts) from moving the
// cursor or coloring the screen.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return r
		}
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, s)
}
