package ui

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columnsOf returns how many columns a text takes on a screen: two for East Asian wide characters
// and emoji, none for combining marks.
func columnsOf(s string) (n int) {
	for _, r := range s {
		if r == 0 || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			continue
		}
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-columnsOf(s)))
}

// Wrap breaks text into lines of at most width columns, between words. A longer word stays whole.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case columnsOf(line)+1+columnsOf(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// cut shortens text to n columns, between words if that loses little.
func cut(text string, n int, ellipsis string) string {
	if columnsOf(text) <= n {
		return text
	}
	if n <= len(ellipsis) {
		return ""
	}
	runes := []rune(text)
	for columnsOf(string(runes)) > n-columnsOf(ellipsis) {
		runes = runes[:len(runes)-1]
	}
	short := string(runes)
	if end := strings.LastIndex(short, " "); text[len(short)] != ' ' && end > len(short)/2 {
		short = short[:end]
	}
	return strings.TrimRight(short, " ,:") + ellipsis
}
