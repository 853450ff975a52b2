// Package text shortens what other programs print, so that it fits into a message.
package text

import "strings"

// OneLine is s with every run of white space as one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Shorten cuts s off after most bytes, between two characters, and marks the cut with "…".
func Shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
