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

// paint returns a function that colors a text, or returns it unchanged if there is no color.
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

// unlimited is the width of anything but a screen, so that lines are not wrapped, for grep.
const unlimited = 1 << 16

// width returns the width in columns of the screen to which a stream is written.
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
		return unlimited
	}
	return 80 // the terminal reports no width
}

// utf8 reports whether marks outside ASCII can be shown. Pipes always get UTF-8.
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

// plain replaces the mark of clean by "?" if the terminal has no UTF-8. The rest of the text stays
// unchanged.
func (u *UI) plain(text string, terminal bool) string {
	if u.utf8(terminal) {
		return text
	}
	return strings.ReplaceAll(text, "�", "?")
}

// clean replaces control characters in text from outside (names, error messages), so that it cannot
// move the cursor or color the screen.
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
